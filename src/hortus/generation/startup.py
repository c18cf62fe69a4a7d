"""Open this package for a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hortus import tasks
from hortus.core.cache import CacheVersions
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.settings import Settings
from hortus.generation.batches import GenerationBatches
from hortus.generation.cancellation import watch_cancellations
from hortus.generation.conversations import Conversations, ReadConversation
from hortus.generation.plan_names import PlanNames
from hortus.generation.state import GenerationState
from hortus.generation.tasks import RUN
from hortus.providers import Registry


@asynccontextmanager
async def open_generation(
    database: Database,
    settings: Settings,
    bus: Bus,
    versions: CacheVersions,
    registry: Registry,
    engine: tasks.EmbeddedEngine,
    read_conversation: ReadConversation,
) -> AsyncIterator[GenerationState]:
    """The state of this package; it notices cancellations until the end of the block."""
    async with watch_cancellations(database, bus) as cancellations:
        yield GenerationState(
            batches=GenerationBatches(database, settings, bus, registry, RUN, engine),
            cancellations=cancellations,
            conversations=Conversations(database, settings, read_conversation),
            plan_names=PlanNames(versions),
        )

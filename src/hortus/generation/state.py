"""The state of this package in one process."""

from dataclasses import dataclass

from hortus.generation.batches import GenerationBatches
from hortus.generation.cancellation import CancellationWatcher
from hortus.generation.conversations import Conversations
from hortus.generation.plan_names import PlanNames


@dataclass(frozen=True, slots=True)
class GenerationState:
    """Opened once by `open_generation`; handlers and tasks find it in the resources."""

    batches: GenerationBatches
    cancellations: CancellationWatcher
    conversations: Conversations
    plan_names: PlanNames

"""Generations: one paid request each, accepted once and ended once."""

from hortus.generation.build import choose_route
from hortus.generation.cancellation import cancel_all, request_stop, stop_all
from hortus.generation.event_context import EventContext
from hortus.generation.invariants import check_holds
from hortus.generation.margins import Margin, margins
from hortus.generation.schemas import GenerationOut, Kind, QuoteOut
from hortus.generation.serialize import generation_out, quote_out
from hortus.generation.service import GenerationRequest, submit_many
from hortus.generation.sizes import CHAT_MAX_TOKENS, CHAT_SYSTEM, usual_size
from hortus.generation.startup import open_generation
from hortus.generation.state import GenerationState
from hortus.generation.takedown import TakenDown, find_of_any_user, list_of_all_users, take_down, taken_down
from hortus.generation.tasks import RUN
from hortus.generation.transitions import Ended, ended

__all__ = [
    "CHAT_MAX_TOKENS",
    "CHAT_SYSTEM",
    "RUN",
    "Ended",
    "EventContext",
    "GenerationOut",
    "GenerationRequest",
    "GenerationState",
    "Kind",
    "Margin",
    "QuoteOut",
    "TakenDown",
    "cancel_all",
    "check_holds",
    "choose_route",
    "ended",
    "find_of_any_user",
    "generation_out",
    "list_of_all_users",
    "margins",
    "open_generation",
    "quote_out",
    "request_stop",
    "stop_all",
    "submit_many",
    "take_down",
    "taken_down",
    "usual_size",
]

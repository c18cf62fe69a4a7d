"""Generations: one piece of paid work each, from acceptance to one end."""

from hortus.generation.closing import cancel_all
from hortus.generation.conversations import Conversations
from hortus.generation.ending import Ended, ended
from hortus.generation.margins import Margin, margins
from hortus.generation.proof import prove_holds
from hortus.generation.route import choose_route
from hortus.generation.schemas import GenerationOut, Kind, QuoteOut
from hortus.generation.service import Wish, submit_many
from hortus.generation.show import show as shown
from hortus.generation.show import show_quote
from hortus.generation.sizes import CHAT_MAX_TOKENS, CHAT_SYSTEM, usual_size
from hortus.generation.stopping import request_stop, stop_all
from hortus.generation.takedown import TakenDown, find_any, find_anybodys, take_down, taken_down
from hortus.generation.tasks import RUN

__all__ = [
    "CHAT_MAX_TOKENS",
    "CHAT_SYSTEM",
    "RUN",
    "Conversations",
    "Ended",
    "GenerationOut",
    "Kind",
    "Margin",
    "QuoteOut",
    "TakenDown",
    "Wish",
    "cancel_all",
    "choose_route",
    "ended",
    "find_any",
    "find_anybodys",
    "margins",
    "prove_holds",
    "request_stop",
    "show_quote",
    "shown",
    "stop_all",
    "submit_many",
    "take_down",
    "taken_down",
    "usual_size",
]

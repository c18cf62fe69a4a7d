"""Generations: one piece of paid work each, from acceptance to one end."""

from hortus.generation.route import choose_route
from hortus.generation.service import Ended, Wish, ended, submit
from hortus.generation.tasks import RUN

__all__ = ["RUN", "Ended", "Wish", "choose_route", "ended", "submit"]

"""The number of tasks of each queue that a process runs at once: its slots."""

from hortus.tasks.registry import QUEUES

SLOW = {"media": 2, "mail": 8, "maintenance": 1}


def slots_by_queue(queues: str, concurrency: int) -> dict[str, int]:
    """The slots of each queue. `queues` is as in `media=4,mail`: only those are served; empty means all.

    A queue without a number has its default: twice `concurrency` for `interactive`, whose tasks mostly wait.
    Raises ValueError with a sentence for the operator.
    """
    default = {"interactive": concurrency * 2, **SLOW}
    found: dict[str, int] = {}
    for part in (part.strip() for part in queues.split(",")):
        if not part:
            continue
        name, _, number = part.partition("=")
        if name not in QUEUES:
            raise ValueError(f"{name!r} is not a queue; the queues are {', '.join(QUEUES)}")
        if number and (not number.isdecimal() or not 0 < int(number) <= 1000):
            raise ValueError(f"{part!r} must name a number of tasks from 1 to 1000; write {name}=4")
        found[name] = int(number) if number else default[name]
    return found or default

"""How many tasks of each queue one process runs at once."""

from hortus.tasks.kinds import QUEUES

SLOW = {"media": 2, "mail": 8, "maintenance": 1}


def rooms(queues: str, concurrency: int) -> dict[str, int]:
    """The room by queue. `queues` is as in `media=4,mail`: only those are served; empty means all.

    A queue without a number has its usual room: twice `concurrency` for `interactive`, whose tasks mostly wait.
    Raises ValueError with a sentence for the operator.
    """
    usual = {"interactive": concurrency * 2, **SLOW}
    found: dict[str, int] = {}
    for part in (part.strip() for part in queues.split(",")):
        if not part:
            continue
        name, _, number = part.partition("=")
        if name not in QUEUES:
            raise ValueError(f"{name!r} is no queue; the queues are {', '.join(QUEUES)}")
        if number and (not number.isdecimal() or not 0 < int(number) <= 1000):
            raise ValueError(f"{part!r} names no number of tasks; write {name}=4")
        found[name] = int(number) if number else usual[name]
    return found or usual

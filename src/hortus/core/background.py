"""Work of the process itself, beside requests or without any."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_background(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """A task of the process, of no request: in an empty context."""
    task: asyncio.Task[Result] = contextvars.Context().run(asyncio.create_task, work)
    return task


async def ended(task: asyncio.Task[Any] | None) -> None:
    """Cancel a background task and wait until it is over; what it raised is not raised here."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=1)  # `asyncio.wait_for`, in the library, may swallow a cancellation


@asynccontextmanager
async def alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` in the background until the end of the block."""
    task = in_background(work)
    try:
        yield
    finally:
        await ended(task)


def run_for_long(work: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` for a process that stays: on the loop that the server has, where there is one for this system."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not everywhere
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made

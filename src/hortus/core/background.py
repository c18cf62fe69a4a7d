"""Asyncio tasks of the process that belong to no request, and the event loop of long-running processes."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_background(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Start a task with an empty context, which belongs to no request."""
    return asyncio.create_task(work, context=contextvars.Context())


async def cancel_and_wait(task: asyncio.Task[Any] | None) -> None:
    """Cancel a background task and wait until it has ended; its exception is not raised."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=1)  # a library that uses `asyncio.wait_for` may swallow a cancellation


@asynccontextmanager
async def alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` in the background until the end of the block."""
    task = in_background(work)
    try:
        yield
    finally:
        await cancel_and_wait(task)


def run_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` for a long-running process: on uvloop if it is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not available on every system
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made

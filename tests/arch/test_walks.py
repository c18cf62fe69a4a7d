"""How many files of ours a request goes through, warm: from the ASGI receive to the response."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from greenlet import getcurrent
from sqlalchemy import event
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import PASSWORD, Hortus, serve

import hortus as package

IMAGE, LOGIN, FRAMES = 35, 28, 8
"""The most files that each may go through."""
LOG = "core/telemetry/log.py"
"""Not counted: its processors run once an earlier test of this process has configured the log, as every server does."""
SOURCE = str(Path(package.__file__).parent)


@contextmanager
def _files_executed() -> Iterator[set[str]]:
    """The files under `src/hortus` with a line executed meanwhile."""
    found: set[str] = set()

    def note(path: str) -> None:
        if path.startswith(SOURCE) and not path.endswith(LOG):
            found.add(path[len(SOURCE) + 1 :])

    with _monitoring(note) if sys.version_info >= (3, 12) else _tracing(note):
        yield found


async def _fewest(request: Callable[[], Awaitable[None]]) -> set[str]:
    """The files of one of two requests, the one that no background poll joined."""
    walks = []
    for _ in range(2):
        with _files_executed() as found:
            await request()
        walks.append(found)
    return min(walks, key=len)


@contextmanager
def _monitoring(note: Callable[[str], None]) -> Iterator[None]:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    tool, lines = monitoring.PROFILER_ID, monitoring.events.LINE

    def line(code: CodeType, _number: int) -> Any:
        note(code.co_filename)
        return monitoring.DISABLE

    monitoring.use_tool_id(tool, "walks")
    monitoring.register_callback(tool, lines, line)
    monitoring.restart_events()
    monitoring.set_events(tool, lines)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


@contextmanager
def _tracing(note: Callable[[str], None]) -> Iterator[None]:
    def call(frame: FrameType, _event: str, _argument: object) -> None:
        note(frame.f_code.co_filename)

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.fixture
async def server(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hortus]:
    """A server that runs no background tasks, so that only the request runs."""
    async with OpenAIEmulator() as emulator:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{emulator.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        monkeypatch.setenv("OPENAI_IMAGE_MODEL", "house-painter")
        async with serve(database_url, tmp_path, work=False) as running:
            yield running


async def test_image_to_202(server: Hortus):
    client = await server.customer()

    async def request() -> None:
        answer = await client.post("/api/image/generate", json={"prompt": "A kite", "size": "256x256"})
        assert answer.status_code == 202, answer.text

    for _ in range(2):
        await request()
    found = await _fewest(request)
    assert len(found) <= IMAGE, "\n".join(sorted(found))


async def test_login(server: Hortus):
    await server.customer("walker@example.com")
    client = server.anonymous()

    async def request() -> None:
        body = {"email": "walker@example.com", "password": PASSWORD}
        answer = await client.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text

    for _ in range(2):
        await request()
    found = await _fewest(request)
    assert len(found) <= LOGIN, "\n".join(sorted(found))


async def test_frames_from_the_batch_to_the_sql(server: Hortus):
    """Frames of ours between the batch that accepts a generation and each statement that it sends."""
    client = await server.customer()
    stacks: list[list[str]] = []

    @event.listens_for(server.database.engine.sync_engine, "before_cursor_execute")
    def note(*_: object) -> None:
        current = getcurrent()
        frame: FrameType | None = sys._getframe(1)
        names = []
        while frame is not None or current.parent is not None:
            if frame is None:
                current = current.parent
                frame = current.gr_frame
                continue
            if frame.f_code.co_filename.startswith(SOURCE):
                names.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
            frame = frame.f_back
        stacks.append(names)

    answer = await client.post("/api/image/generate", json={"prompt": "A kite", "size": "256x256"})
    assert answer.status_code == 202, answer.text
    frames = {}
    for names in stacks:
        inside = [place for place, name in enumerate(names) if name.startswith("batch.py:")]
        if inside:
            frames[inside[0]] = names
    assert frames
    assert max(frames) <= FRAMES, "\n".join(map(str, frames.values()))

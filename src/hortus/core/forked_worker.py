"""Run one function of a script in a fresh process per call, forked from a template that has its libraries loaded.

For code that parses untrusted bytes: a call that crashes, hangs or exhausts memory ends only its own process, and calls
share no memory. The template imports and never reads input, so a call costs a fork, not a start of Python. The
processes get only the environment variables that locate libraries.
"""

import asyncio
import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

_TEMPLATE = Path(__file__).with_name("forked_worker_template.py")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP")
_START_SECONDS = 60.0
_CHUNK = 1 << 20


class WorkerDied(Exception):
    """The call exceeded its time or memory, or crashed."""


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """The result of a call: a JSON object, and bytes that may be empty."""

    facts: dict[str, Any]
    data: bytes


def environment() -> dict[str, str]:
    """Environment variables that the processes inherit."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class ForkedWorker:
    """Calls `main(*arguments)` of `script`, each call in its own process.

    `main` reads standard input and returns a JSON object and bytes. The template starts with the first call, ends with
    this process, and is started again if it was killed. At most `slots` calls run at a time; others wait.
    """

    def __init__(self, script: Path, *, slots: int = 2) -> None:
        self._script = script
        self._slots = ThreadPoolExecutor(slots, thread_name_prefix=script.stem)
        self._lock = threading.Lock()
        self._template: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    async def call(self, *arguments: str, content: bytes | Path, seconds: float, memory: int) -> WorkerResult:
        """Run `main` with `content` as its standard input, in one of the slots.

        The process may allocate `memory` bytes and take `seconds`. Raises WorkerDied.
        """
        run = partial(self.run, *arguments, content=content, seconds=seconds, memory=memory)
        return await asyncio.get_running_loop().run_in_executor(self._slots, run)

    def run(self, *arguments: str, content: bytes | Path, seconds: float, memory: int) -> WorkerResult:
        """The same as `call`, in the calling thread and without waiting for a slot. Safe from several threads."""
        with tempfile.TemporaryFile() if isinstance(content, bytes) else content.open("rb") as file:
            if isinstance(content, bytes):
                file.write(content)
                file.seek(0)
            ours, theirs = os.pipe()
            with os.fdopen(ours, "rb", buffering=0) as answer:
                try:
                    job = {"arguments": arguments, "seconds": seconds, "memory": memory}
                    child = self._fork(json.dumps(job).encode(), file.fileno(), theirs)
                finally:
                    os.close(theirs)
                try:
                    received = _read_all(answer.fileno(), seconds)
                except TimeoutError:
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)  # it still holds the pipe, so the number is still its own
                    raise WorkerDied(f"not done within {seconds:g} s") from None
        return _parse(received)

    def close(self) -> None:
        """Stop the template; running calls still finish."""
        with self._lock:
            self._stop()

    def _fork(self, job: bytes, stdin: int, stdout: int) -> int:
        """The process id of a child that works on the job."""
        for attempt in range(2):
            with self._lock:
                try:
                    control = self._started()
                    socket.send_fds(control, [struct.pack("!I", len(job)) + job], [stdin, stdout])
                    number = control.recv(4, socket.MSG_WAITALL)
                    if len(number) == 4:
                        return int(struct.unpack("!I", number)[0])
                except OSError as error:
                    if attempt:
                        raise WorkerDied(f"no process could be started: {error}") from error
                self._stop()
        raise WorkerDied("no process could be started")

    def _started(self) -> socket.socket:
        if self._control is not None and self._owner == os.getpid():
            return self._control
        ours, theirs = socket.socketpair()
        with theirs:
            self._template = subprocess.Popen(  # noqa: S603 - a script of this package, no shell, no input of customers
                [sys.executable, "-I", str(_TEMPLATE), str(self._script), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.settimeout(_START_SECONDS)
        self._control, self._owner = ours, os.getpid()
        atexit.register(self.close)
        return ours

    def _stop(self) -> None:
        control, template = self._control, self._template
        self._control = self._template = None
        if control is not None:
            control.close()  # the template ends when its end of the socket does
        if template is not None and self._owner == os.getpid():
            with suppress(subprocess.TimeoutExpired):
                template.wait(2)
            if template.poll() is None:
                template.kill()
                template.wait()


def _read_all(pipe: int, seconds: float) -> bytes:
    """Everything until the pipe is closed. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    parts: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError
        part = os.read(pipe, _CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _parse(received: bytes) -> WorkerResult:
    """The result, if it is complete: the lengths of both parts come first, so a partial result is detected."""
    if len(received) < 8:
        raise WorkerDied("it ended without an answer")
    facts, data = struct.unpack_from("!II", received)
    if len(received) != 8 + facts + data:
        raise WorkerDied("it ended in the middle of its answer")
    return WorkerResult(json.loads(received[8 : 8 + facts]), received[8 + facts :])

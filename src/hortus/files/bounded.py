"""Run a script of ours over bytes from outside, in a process of its own, bounded in time and memory.

It does not get our environment, so it knows no secret. A decoder that crashes, hangs or swells takes
only that process with it.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP")


class ScriptDied(Exception):
    """The script ran out of time or memory, or crashed on what it read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script printed: a line of JSON, then perhaps bytes."""

    facts: dict[str, Any]
    data: bytes


def environment() -> dict[str, str]:
    """What a script is told of ours: where its libraries are, and no more."""
    told = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**told, "OPENBLAS_NUM_THREADS": "1"}


def run_script(script: str, arguments: list[str], content: bytes | Path, *, seconds: float, memory: int) -> Answer:
    """Run `files/<script>` with `content` as its standard input. Blocks; call it from a thread. Raises ScriptDied."""
    command = [sys.executable, "-I", str(Path(__file__).with_name(script)), str(memory), *arguments]
    with tempfile.TemporaryFile() if isinstance(content, bytes) else content.open("rb") as file:
        if isinstance(content, bytes):
            file.write(content)
            file.seek(0)
        try:
            done = subprocess.run(  # noqa: S603 - our own script, no shell, no word of a customer in the arguments
                command,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
                timeout=seconds,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise ScriptDied(f"not done within {seconds:.0f} s") from None
        except subprocess.CalledProcessError as error:
            raise ScriptDied(f"ended with {error.returncode}") from None
    line, _, data = done.stdout.partition(b"\n")
    return Answer(json.loads(line), data)

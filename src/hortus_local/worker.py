"""The media worker: a process that runs one job and exits.

The parent writes one line of JSON to our stdin and keeps it open; when it closes, or the parent dies, so do we.
We write lines of JSON to stdout: `{"percent": 40}`, `{"output": "name.png", "mime_type": …}`, and at the end either
`{"usage": {…}}` or `{"refusal": code, "reason": …, "detail": …}`. Files go into the folder we are started in.
"""

import ctypes
import json
import os
import signal
import sys
import threading

MEMORY = 2 * 1024**3
"""Bytes of address space; libraries and a video of the largest size take about half."""
_LARGEST_FILE = 512 * 1024**2
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the job, run it, send the result."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # a library that prints must not garble our lines

    def send(**line: object) -> None:
        out.write(json.dumps(line) + "\n")

    _die_with_parent()
    job = json.loads(sys.stdin.buffer.readline())
    _limit(float(job["timeout"]))
    threading.Thread(target=_watch_stdin, daemon=True).start()
    from hortus_local.refusal import Refusal  # noqa: PLC0415 - limits come before libraries

    try:
        from hortus_local import jobs  # noqa: PLC0415 - heavy, and after the bounds are set

        usage = jobs.run(job, send)
    except Refusal as refusal:
        send(refusal=refusal.code, reason=refusal.reason, detail=refusal.detail)
    except MemoryError:
        send(refusal="unavailable", reason="", detail="out of memory")
    else:
        send(usage=usage)
    out.flush()
    os._exit(0)  # the result is sent; tearing down the libraries takes longer than some jobs


def _limit(seconds: float) -> None:
    """Limit memory, time and files before any input of the customer is read."""
    if sys.platform == "win32":
        return
    os.nice(10)
    import resource  # noqa: PLC0415 - not on Windows

    wanted: list[tuple[int, int]] = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE)]
    wanted.append((resource.RLIMIT_CPU, int(seconds * 4) + 10))
    if sys.platform == "linux":
        wanted.append((resource.RLIMIT_AS, MEMORY))
    for kind, most in wanted:
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _watch_stdin() -> None:
    """Exit when stdin is closed."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(3)


if __name__ == "__main__":
    main()

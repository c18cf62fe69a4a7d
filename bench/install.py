"""Time from a clean clone to a healthy server: `make setup`, then `make run`, with a warm package cache."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from bench.figures import Figure, at_most

ROOT = Path(__file__).parent.parent
SETUP_SECONDS = 30
RUN_SECONDS = 45


def _clone(folder: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True, timeout=60)
    return folder


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _setup(checkout: Path, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(["make", "setup"], cwd=checkout, env=environment, check=True, timeout=600, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _run_until_healthy(checkout: Path, environment: dict[str, str]) -> float:
    port = _free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        ["make", "run"], cwd=checkout, env={**environment, "PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        while time.perf_counter() - started < 300:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer,
            ):
                if answer.status == 200:
                    return time.perf_counter() - started
            time.sleep(0.05)
        raise TimeoutError("make run was not healthy within 300 s")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


async def measure(folder: Path) -> list[Figure]:
    """Warm the cache with one clone, then run `make setup` in a second and `make run` alone in a third."""
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH", "HOST")}
    _setup(_clone(folder / "warm"), environment)
    installed = _setup(_clone(folder / "setup"), environment)
    healthy = _run_until_healthy(_clone(folder / "run"), environment)
    return [
        at_most("`make setup` in a clean clone, warm index", installed, SETUP_SECONDS, "s"),
        at_most("`make run` in a clean clone until /health/ready answers 200", healthy, RUN_SECONDS, "s"),
    ]

"""Whether the time of an answer tells known accounts from unknown ones. Run it by hand on a quiet machine:

    python -m tests.auth.timing [--calls 300]

Known and unknown addresses take turns, in a random order within each pair, against a real `hortus up` on SQLite with
its default limits; every call comes from a network address of its own. It prints both medians of each route and their
ratio, and exits with 1 when a ratio is more than 5 % from 1.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from tests.faults.server_process import ServerProcess

APART = 0.05
PASSWORD = "a long enough passphrase 7"
WRONG = "another long passphrase 8"
ROUTES = ("login", "send-otp", "forgot-password", "request-password-reset")
networks = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in itertools.count(1))


async def post(client: httpx2.AsyncClient, path: str, body: dict[str, Any], want: int) -> float:
    """How many seconds the answer took, to somebody whose browser is not known."""
    client.cookies.clear()
    headers = {"X-Forwarded-For": next(networks)}
    began = time.perf_counter()
    answer = await client.post(f"/api/auth/{path}", json=body, headers=headers)
    took = time.perf_counter() - began
    if answer.status_code != want:
        raise RuntimeError(f"{path} said {answer.status_code}: {answer.text}")
    return took


async def measure(client: httpx2.AsyncClient, path: str, known: Iterator[str], calls: int) -> tuple[float, float]:
    """The medians in seconds for known and for unknown addresses; each is named once."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for number in range(-5, calls):
        pair = [(True, next(known)), (False, f"n{number + 5:05}-{path}@example.com")]
        random.shuffle(pair)
        for is_known, email in pair:
            body, want = ({"email": email, "password": WRONG}, 401) if path == "login" else ({"email": email}, 200)
            seconds = await post(client, path, body, want)
            if number >= 0:  # the first few warm up
                took[is_known].append(seconds)
            await asyncio.sleep(0.02)  # the task that writes the message passes
    return statistics.median(took[True]), statistics.median(took[False])


async def run(calls: int) -> int:
    """The exit code."""
    each, far = calls + 5, 0
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(
            Path(folder), RATE_LIMITS_ENABLED="true", TRUSTED_PROXIES="127.0.0.1", LOG_LEVEL="warning"
        )
        await server.start()
        try:
            async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
                # The two routes of resets share one pause between codes: each has addresses of its own.
                accounts = [f"k{number:05}-is-known@example.com" for number in range(2 * each)]
                for some in zip(*[iter(accounts)] * 2, strict=True):
                    bodies = [{"email": email, "password": PASSWORD, "accept_terms": True} for email in some]
                    await asyncio.gather(*(post(client, "register", body, 201) for body in bodies))
                await asyncio.sleep(3)
                for path in ROUTES:
                    known = iter(accounts[each:] if path == "request-password-reset" else accounts)
                    yes, no = await measure(client, path, known, calls)
                    far += abs(yes / no - 1) > APART
                    sys.stdout.write(
                        f"{path:24} known {yes * 1000:8.3f} ms, unknown {no * 1000:8.3f} ms, ratio {yes / no:.4f}\n"
                    )
                    sys.stdout.flush()
        finally:
            await server.stop()
    return 1 if far else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    sys.exit(asyncio.run(run(parser.parse_args().calls)))


if __name__ == "__main__":
    main()

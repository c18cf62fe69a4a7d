"""A hundred thousand guesses at one account's codes, against a real `hortus up` on SQLite. Run it by hand:

    python -m tests.auth.otp.guessing [--guesses 100000] [--addresses 1000] [--rate-limits]

The guesses come over many connections and from many network addresses, and a new code is asked for as soon as one
may be. Without `--rate-limits` nothing but the codes' own caps stands in the way. The owner then signs in while the
guessing goes on. It exits with 0 when no guess worked, the owner was told, and the owner got in.
"""

import argparse
import asyncio
import itertools
import os
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp

OWNER = "owner@example.com"
HOME = "203.0.113.7"
CONNECTIONS = 32
READY_LINE = "Hortus is up at "
CODE = re.compile(r"\b\d{6,10}\b")


class Attacked:
    """The server, the messages it showed on its console, and how it is spoken to."""

    def __init__(self, folder: Path, url: str, http: aiohttp.ClientSession, addresses: int) -> None:
        self.addresses = addresses
        self._folder, self._url, self._http = folder, url, http
        self.answers: Counter[str] = Counter()

    def stranger(self, number: int) -> str:
        """One of the addresses of the attack."""
        return f"10.0.{number % self.addresses // 250}.{number % self.addresses % 250 + 1}"

    def mails(self) -> list[str]:
        """Every mail to the owner, oldest first."""
        shown = (self._folder / "console").read_text()
        return re.findall(rf"\+-- mail to {re.escape(OWNER)} .*?\n\+-{{60}}", shown, re.DOTALL)

    def codes(self) -> list[str]:
        """Every code that was mailed, oldest first."""
        return [found[0] for mail in self.mails() if "code" in mail and (found := CODE.search(mail))]

    def counted_wrong(self) -> int:
        """How many guesses met a code that was good at that moment."""
        with closing(sqlite3.connect(self._folder / "data" / "hortus.db")) as database:
            return int(database.execute("SELECT coalesce(sum(wrong), 0) FROM wrong_codes").fetchone()[0])

    async def post(self, path: str, address: str, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"X-Forwarded-For": address}
        async with self._http.post(self._url + path, json={"email": OWNER, **body}, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ask(self, address: str) -> float:
        """Ask for a code; how long to wait if it is too early, else nothing."""
        status, said = await self.post("/api/auth/send-otp", address)
        return float(said.get("retry_after", 1)) if status == 429 else 0.0

    async def enter(self, address: str, deadline: float) -> tuple[float, str]:
        """Ask as soon as one may, read the mail, sign in. How long it took to get the code, and the code."""
        began, before = time.monotonic(), len(self.codes())
        while wait := await self.request_otp(address):
            if time.monotonic() + wait - began > deadline:
                raise RuntimeError(f"the owner would wait {wait} s more")
            await asyncio.sleep(wait)
        waited = time.monotonic() - began
        while len(self.codes()) == before:
            await asyncio.sleep(0.1)
        code = self.codes()[-1]
        status, said = await self.post("/api/auth/verify-otp", address, code=code, accept_terms=True)
        if status != 200:
            raise RuntimeError(f"the owner was refused: {said}")
        return waited, code


async def guess(
    server: Attacked, numbers: "itertools.count[int]", most: int | None, stop: asyncio.Event, pause: float = 0
) -> None:
    """Take the next number and try it, until there were `most` or somebody says stop."""
    while not stop.is_set():
        number = next(numbers)
        if most is not None and number >= most:
            return
        status, said = await server.post(
            "/api/auth/verify-otp", server.stranger(number), code=f"{number % 1_000_000:06}"
        )
        server.answers[f"{status} {said.get('code', 'signed in')}"] += 1
        await asyncio.sleep(pause)


async def keep_asking(server: Attacked, stop: asyncio.Event) -> None:
    """Ask for the next code as soon as one may be had, from one address after the other."""
    for number in itertools.count():
        if stop.is_set():
            return
        await server.request_otp(server.stranger(number))
        await asyncio.sleep(1)


async def attack(server: Attacked, guesses: int) -> None:
    """All of it, told line by line."""
    waited, _ = await server.enter(HOME, 600)
    say(f"the owner signed up; waited {waited:.1f} s")
    began, stop = time.monotonic(), asyncio.Event()
    asking = asyncio.create_task(keep_asking(server, stop))
    numbers = itertools.count()
    await asyncio.gather(*(guess(server, numbers, guesses, stop) for _ in range(CONNECTIONS)))
    seconds = time.monotonic() - began
    stop.set()
    await asking
    sent = server.codes()[1:]
    say(f"{server.answers.total()} guesses in {seconds:.0f} s, {server.answers.total() / seconds:.0f} a second")
    say(f"answers: {dict(server.answers)}")
    say(f"codes sent meanwhile: {len(sent)} of {sorted({len(code) for code in sent})} digits")
    say(f"guesses that met a code in force: {server.counted_wrong()}")
    stop = asyncio.Event()
    going_on = [asyncio.create_task(guess(server, itertools.count(guesses), None, stop, 0.1)) for _ in range(4)]
    try:
        waited, code = await server.enter(HOME, 660)
    finally:
        stop.set()
        await asyncio.gather(*going_on)
    say(f"the owner got in by a code of {len(code)} digits, {waited:.0f} s after asking for it")
    say(f"guesses by then: {server.answers.total()}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run(guesses: int, addresses: int, rate_limits: bool) -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        environment = {
            **os.environ, "TRUSTED_PROXIES": "127.0.0.1", "RATE_LIMITS_ENABLED": str(rate_limits).lower(),
            "DATABASE_URL": "", "REDIS_URL": "", "LOG_LEVEL": "warning",
        }  # fmt: skip
        with (folder / "console").open("wb") as out, (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hortus", "up", "--port", "0", "--data", str(folder / "data"),
                stdout=out, stderr=log, cwd=folder, env=environment,
            )  # fmt: skip
        try:
            while READY_LINE not in (console := (folder / "console").read_text()):
                if process.returncode is not None:
                    raise RuntimeError((folder / "log").read_text()[-4000:])
                await asyncio.sleep(0.1)
            url = console.partition(READY_LINE)[2].split()[0]
            connector = aiohttp.TCPConnector(limit=CONNECTIONS + 8, keepalive_timeout=3)
            async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as http:
                server = Attacked(folder, url, http, addresses)
                await attack(server, guesses)
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
        told = sum("wrong codes" in mail for mail in server.mails())
        worked = sum(count for answer, count in server.answers.items() if answer.startswith("200"))
        odd = {answer for answer in server.answers if not answer.startswith(("401", "429"))}
        say(f"guesses that worked: {worked}; mails of warning to the owner: {told}; other answers: {odd or 'none'}")
        return 0 if worked == 0 and told > 0 and not odd else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guesses", type=int, default=100_000)
    parser.add_argument("--addresses", type=int, default=1000)
    parser.add_argument("--rate-limits", action="store_true")
    given = parser.parse_args()
    sys.exit(asyncio.run(run(given.guesses, given.addresses, given.rate_limits)))


if __name__ == "__main__":
    main()

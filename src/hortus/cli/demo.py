"""The whole journey, as a customer would make it, over HTTP: `hortus demo`."""

import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import hortus
from hortus.core.money import credits_to_text

IMAGE_PROMPT = "A quiet mountain lake at dawn with a small sailing boat"
SCRIPT = "Hello! I am a photograph that learned to speak. Hortus made this video on your own machine."
SAMPLE_PORTRAIT = Path(hortus.__file__).parent / "assets" / "portrait.png"
LONGEST_WAIT = 180.0


class DemoFailed(Exception):
    """A step failed; the message names the step and the reason."""


async def run(console: Console, url: str | None, out: Path, *, buy: bool = False) -> None:
    """Sign up, make an image and a talking video, chat, and show the usage; with `buy`, then buy a plan and credit."""
    out.mkdir(parents=True, exist_ok=True)
    async with _server(console, url) as base, aiohttp.ClientSession(base) as session:
        started = time.monotonic()
        journey = _Journey(console, session, out)
        await journey.go()
        if buy:
            await journey.buy()
        console.print(
            f"\nDone in {time.monotonic() - started:.0f} s. See [bold]{out.resolve()}[/bold].", highlight=False
        )


@asynccontextmanager
async def _server(console: Console, url: str | None) -> AsyncIterator[str]:
    """The given server, or one of our own in a folder that goes away."""
    if url is not None:
        yield url.rstrip("/") + "/"
        return
    with tempfile.TemporaryDirectory(prefix="hortus-demo-") as data:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hortus", "up", "--port", "0", "--data", data,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "RATE_LIMITS_ENABLED": "false", "DATABASE_URL": ""},
        )  # fmt: skip
        try:
            console.print("Starting a server of our own …")
            yield await asyncio.wait_for(_address_of(server), 60)
        finally:
            if server.returncode is None:
                server.send_signal(signal.SIGTERM)
                await server.wait()


async def _address_of(server: asyncio.subprocess.Process) -> str:
    if server.stdout is not None:
        async for line in server.stdout:
            words = line.decode().split()
            found = [word for word in words if word.startswith("http://")]
            if found:
                return found[0] + "/"
    raise DemoFailed("the server did not start; run `hortus up` to see the reason")


class _Journey:
    """One customer's way through the product."""

    def __init__(self, console: Console, session: aiohttp.ClientSession, out: Path) -> None:
        self._console, self._session, self._out = console, session, out
        self._headers: dict[str, str] = {}

    async def go(self) -> None:
        """Every step in turn."""
        await self._sign_up()
        image = await self._make("image", "api/image/generate", {"prompt": IMAGE_PROMPT, "size": "1024x1024"})
        await self._save(image, "image")
        photo = await self._upload(SAMPLE_PORTRAIT)
        body = {"photo_file_id": photo["id"], "script": SCRIPT, "aspect_ratio": "1:1"}
        video = await self._make("talking video", "api/video/generate", body)
        await self._save(video, "video")
        await self._chat()
        await self._show_usage()

    async def buy(self) -> None:
        """Exhaust the quota, buy Pro and a pack, renew, and be refunded: all in the sandbox."""
        self._console.print("\n[bold]Shopping[/bold], in the sandbox, without real money")
        await self._exhaust_quota()
        order = await self._call("POST", "api/payment/subscription", json={"plan": "pro", "gateway": "sandbox"})
        await self._press(order, "pay")
        await self._wait_for("Pro", lambda usage: usage["plan"] == "pro")
        made = await self._make("image", "api/image/generate", {"prompt": IMAGE_PROMPT})
        self._console.print(f"  the quota of Pro is larger: the image is {made['status']}")
        credit = await self._available()
        pack = await self._call("POST", "api/payment/topup", json={"pack": "small", "gateway": "sandbox"})
        await self._press(pack, "pay")
        await self._wait_for("100 credits", lambda usage: int(usage["credits"]["available"]) > credit)
        credit = await self._available()
        await self._press(order, "renew")
        await self._wait_for("the next month of Pro", lambda usage: int(usage["credits"]["available"]) > credit)
        credit = await self._available()
        await self._press(order, "refund")
        await self._wait_for("a refund of that month", lambda usage: int(usage["credits"]["available"]) < credit)
        await self._call("POST", "api/payment/subscription/cancel", json={"at": "period_end"})
        self._console.print("[green]✓[/green] cancelled; Pro stays until the end of what was paid")
        for paid in (await self._call("GET", "api/payment/history"))["items"]:
            amount = f"{paid['amount_minor'] // 100}.{paid['amount_minor'] % 100:02d}"
            self._console.print(f"  {paid['currency']} {amount:>8}  {paid['title']}: {paid['status']}", highlight=False)
        await self._show_usage()

    async def _exhaust_quota(self) -> None:
        windows = (await self._call("GET", "api/user/usage"))["windows"]
        left = next(each["remaining"] for each in windows if (each["kind"], each["window"]) == ("image", "month"))
        for number in range(left):
            await self._make(f"image {number + 1} of {left}", "api/image/generate", {"prompt": IMAGE_PROMPT})
        try:
            await self._call("POST", "api/image/generate", json={"prompt": IMAGE_PROMPT})
        except DemoFailed as refusal:
            self._console.print(f"[green]✓[/green] the quota of the free plan is exhausted: {refusal}", highlight=False)
        else:
            raise DemoFailed("the free plan was not limited")

    async def _press(self, order: Any, button: str) -> None:
        url = f"{order['checkout_url']}/{button}"
        async with self._session.post(url, allow_redirects=False) as response:
            if response.status != 303:
                raise DemoFailed(f"the sandbox answered {response.status}")

    async def _wait_for(self, what: str, arrived: Callable[[Any], bool]) -> None:
        ends = time.monotonic() + LONGEST_WAIT
        while not arrived(await self._call("GET", "api/user/usage")):
            if time.monotonic() > ends:
                raise DemoFailed(f"{what} did not arrive")
            await asyncio.sleep(0.1)
        self._console.print(f"[green]✓[/green] {what} arrived")

    async def _available(self) -> int:
        return int((await self._call("GET", "api/user/usage"))["credits"]["available"])

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, path, headers=self._headers, **options) as response:
            body = await response.read()
            answer = json.loads(body) if "json" in response.content_type else body
            if response.status >= 400:
                detail = answer.get("detail", "") if isinstance(answer, dict) else ""
                raise DemoFailed(f"{method} /{path} answered {response.status}: {detail}")
            return answer

    async def _sign_up(self) -> None:
        email = f"demo-{secrets.token_hex(4)}@example.com"
        body = {"email": email, "password": secrets.token_urlsafe(16), "name": "Demo", "accept_terms": True}
        tokens = await self._call("POST", "api/auth/register", json=body)
        self._headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self._console.print(f"[green]✓[/green] signed up as {email}", highlight=False)

    async def _upload(self, path: Path) -> Any:
        form = aiohttp.FormData()
        form.add_field("file", path.read_bytes(), filename=path.name, content_type="image/png")
        uploaded = await self._call("POST", "api/upload/file", data=form)
        self._console.print(f"[green]✓[/green] uploaded {path.name}, {uploaded['width']}x{uploaded['height']}")
        return uploaded

    async def _make(self, what: str, path: str, body: dict[str, Any]) -> Any:
        made = await self._call("POST", path, json=body)
        ends = time.monotonic() + LONGEST_WAIT
        columns = (SpinnerColumn(), TextColumn(f"making the {what}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=100)
            while made["status"] in ("queued", "running"):
                if time.monotonic() > ends:
                    raise DemoFailed(f"the {what} was not ready within {LONGEST_WAIT:.0f} s")
                await asyncio.sleep(0.2)
                made = await self._call("GET", f"api/generations/{made['id']}")
                bar.update(task, completed=made["progress"])
        if made["status"] != "succeeded":
            raise DemoFailed(f"the {what} ended as {made['status']}: {(made['error'] or {}).get('detail', '')}")
        price = credits_to_text(int(made.get("charged_credits") or made["price_credits"]))
        self._console.print(f"[green]✓[/green] {what} by {made['provider']} ({made['model']}) for {price} credits")
        return made

    async def _save(self, made: Any, name: str) -> None:
        for number, output in enumerate(made["outputs"]):
            ending = output["mime_type"].rsplit("/", 1)[1].replace("jpeg", "jpg")
            path = self._out / f"{name}{number or ''}.{ending}"
            path.write_bytes(await self._call("GET", output["url"].lstrip("/")))
            length = f", {output['duration_s']:.1f} s" if output["duration_s"] else ""
            self._console.print(f"  saved {path} ({output['width']}x{output['height']}{length})", highlight=False)

    async def _chat(self) -> None:
        room = await self._call("POST", "api/chatroom", json={"title": "Demo"})
        for content in ("Hello, my name is Asha.", "What is my name?"):
            sent = await self._call("POST", f"api/chatroom/{room['id']}/message", json={"content": content})
            reply = await self._reply(room["id"], sent["reply"]["id"])
            self._console.print(f"[green]✓[/green] you: {content}\n  reply: {reply.splitlines()[0]}", highlight=False)

    async def _reply(self, room_id: str, reply_id: str) -> str:
        ends = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < ends:
            room = await self._call("GET", f"api/chatroom/{room_id}")
            reply = next(message for message in room["messages"] if message["id"] == reply_id)
            if reply["status"] == "done":
                return str(reply["content"])
            if reply["status"] == "error":
                raise DemoFailed("the reply failed")
            await asyncio.sleep(0.1)
        raise DemoFailed("the reply did not come")

    async def _show_usage(self) -> None:
        usage = await self._call("GET", "api/user/usage")
        credit = usage["credits"]
        self._console.print(
            f"\nPlan [bold]{usage['plan']}[/bold], {credits_to_text(int(credit['available']))} credits left"
        )
        for window in usage["windows"]:
            limit = window["limit"] if window["limit"] is not None else "unlimited"
            self._console.print(f"  {window['kind']:<6} {window['used']} of {limit} this {window['window']}")

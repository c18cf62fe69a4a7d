"""What every adapter promises, whatever its vendor does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.emulators.base import Emulator
from tests.emulators.gemini import GeminiEmulator
from tests.emulators.openai import OpenAIEmulator
from tests.providers import ask

from hortus.core import context as ambient
from hortus.core.configuration import SettingsGroup
from hortus.core.http import CallInsideTransaction, Http
from hortus.providers import (
    ChatMessage,
    Context,
    Delta,
    Done,
    KeyRefused,
    NotConfigured,
    Pollable,
    Provider,
    ProviderError,
    RateLimited,
    Rejected,
    Request,
    Unavailable,
    Unsupported,
    gemini,
    openai_like,
)
from hortus_local import Adapter as LocalAdapter


@dataclass(frozen=True)
class Vendor:
    """How to reach one vendor's emulator with its adapter."""

    adapter: Any
    emulator: type[Emulator]
    settings: Callable[[str], dict[str, str]]
    text_model: str
    image_model: str


VENDORS = {
    "openai_like": Vendor(
        openai_like.Adapter,
        OpenAIEmulator,
        lambda url: {
            "OPENAI_API_KEY": "sk-x",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_MODEL": "house-1",
            "OPENAI_IMAGE_MODEL": "painter",
            "OPENAI_IDLE_TIMEOUT": "0.4",
        },
        "house-1",
        "painter",
    ),
    "gemini": Vendor(
        gemini.Adapter,
        GeminiEmulator,
        lambda url: {
            "GEMINI_API_KEY": "x",
            "GEMINI_BASE_URL": url,
            "GEMINI_IDLE_TIMEOUT": "0.4",
            "GEMINI_POLL_SECONDS": "0.02",
        },
        "gemini-3.8-flash",
        "gemini-nano-banana-2.1",
    ),
}

FAILURES = {
    "bad_request": (Rejected, "bad_input"),
    "unauthorized": (KeyRefused, None),
    "forbidden": (NotConfigured, None),
    "unknown_model": (Unsupported, None),
    "timeout": (Unavailable, None),
    "too_long": (Rejected, "too_long"),
    "policy": (Rejected, "policy"),
    "rate_limited": (RateLimited, None),
    "error": (Unavailable, None),
    "overloaded": (Unavailable, None),
    "hang": (Unavailable, None),
    "half_headers": (Unavailable, None),
    "garbage": (Unavailable, None),
    "cut": (Unavailable, None),
    "ends_early": (Unavailable, None),
    "refusal": (Rejected, "policy"),
    "empty": (Unavailable, None),
}
STREAM_FAILURES = {"stall": (Unavailable, None), "error_event": (Unavailable, None)}
IMAGE_FAILURES = {"text_for_image": (Unavailable, None)}
CASES = [
    *(("text", mode, *expected) for mode, expected in (FAILURES | STREAM_FAILURES).items()),
    *(("chat", mode, *expected) for mode, expected in (FAILURES | STREAM_FAILURES).items()),
    *(("image.generate", mode, *expected) for mode, expected in (FAILURES | IMAGE_FAILURES).items()),
    *(("image.restyle", mode, *expected) for mode, expected in (FAILURES | IMAGE_FAILURES).items()),
]


@dataclass
class AdapterSetup:
    """An adapter, its vendor, and the client between them."""

    vendor: Vendor
    emulator: Emulator
    http: Http
    adapter: Any
    workdir: Path

    def request(self, operation: str, **changes: Any) -> Request:
        if operation in {"text", "chat"}:
            return ask.text(self.vendor.text_model, self.workdir, operation=operation, **changes)
        source = None if operation == "image.generate" else ask.PHOTO
        return ask.image(self.vendor.image_model, self.workdir, operation=operation, source=source, **changes)


@pytest.fixture(params=VENDORS)
async def setup(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AdapterSetup]:
    vendor = VENDORS[request.param]
    monkeypatch.chdir(tmp_path)
    async with vendor.emulator() as emulator, Http() as http:
        for name, value in vendor.settings(emulator.url).items():
            monkeypatch.setenv(name, value)
        yield AdapterSetup(vendor, emulator, http, vendor.adapter(Context(http, tmp_path)), tmp_path)


def test_it_implements_the_protocol(setup: AdapterSetup) -> None:
    adapter = setup.adapter
    assert isinstance(adapter, Provider)
    assert adapter.missing() is None
    assert adapter.serves(setup.vendor.text_model)
    assert issubclass(adapter.Settings, SettingsGroup)
    assert adapter.operations >= {"text", "chat", "image.generate", "image.restyle"}


@pytest.mark.parametrize(("operation", "mode", "error", "reason"), CASES)
async def test_every_failure_is_one_of_the_five(
    setup: AdapterSetup, operation: str, mode: str, error: type[ProviderError], reason: str | None
) -> None:
    before = ask.own_tasks()
    setup.emulator.retry_after = "7"
    setup.emulator.fail(mode)
    started = time.monotonic()

    with pytest.raises(ProviderError) as caught:
        await ask.collect(setup.adapter.generate(setup.request(operation, timeout=0.8)))

    assert type(caught.value) is error, caught.value
    assert getattr(caught.value, "reason", None) == reason
    assert time.monotonic() - started < 2
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 7.0
    assert ask.open_connections(setup.http) == 0
    await ask.until(lambda: setup.emulator.active == 0)
    await ask.until(lambda: ask.own_tasks() <= before)


@pytest.mark.parametrize("operation", ["text", "chat"])
async def test_text_comes_whole_and_in_order(setup: AdapterSetup, operation: str) -> None:
    setup.emulator.reply = [f"{number} " for number in range(500)]

    events = await ask.collect(setup.adapter.generate(setup.request(operation)))

    assert "".join(ask.words(events)) == "".join(setup.emulator.reply)
    done = events[-1]
    assert isinstance(done, Done)
    assert done.finish == "stop"
    assert done.usage.input_tokens == 11
    assert done.usage.output_tokens >= 500
    assert {type(event) for event in events[:-1]} == {Delta}  # what came together may be one


async def test_pieces_arrive_as_they_are_sent(setup: AdapterSetup) -> None:
    setup.emulator.token_delay = 0.05
    started = time.monotonic()
    async with aclosing(setup.adapter.generate(setup.request("text"))) as events:
        arrivals = [time.monotonic() - started async for event in events if isinstance(event, Delta)]
    assert arrivals[-1] - arrivals[0] > 0.05 * (len(arrivals) - 2)


@pytest.mark.parametrize("operation", ["image.generate", "image.restyle"])
async def test_images(setup: AdapterSetup, operation: str) -> None:
    events = await ask.collect(setup.adapter.generate(setup.request(operation, count=3)))
    assert [output.mime_type for output in ask.outputs(events)] == ["image/png"] * 3
    assert isinstance(events[-1], Done)
    assert events[-1].usage.images == 3


@pytest.mark.parametrize("operation", ["text", "image.generate"])
async def test_wrong_usage_is_capped(setup: AdapterSetup, operation: str) -> None:
    setup.emulator.fail("wrong_usage")
    done = (await ask.collect(setup.adapter.generate(setup.request(operation))))[-1]
    assert isinstance(done, Done)
    for used in (done.usage.input_tokens, done.usage.output_tokens, done.usage.images):
        assert isinstance(used, int)
        assert 0 <= used <= 10_000_000


async def test_a_slow_consumer_is_never_interrupted_by_the_deadline(setup: AdapterSetup) -> None:
    setup.emulator.reply = ["word "] * 50
    setup.emulator.token_delay = 0.02
    with pytest.raises(Unavailable):
        async with aclosing(setup.adapter.generate(setup.request("text", timeout=0.3))) as events:
            async for _ in events:
                await asyncio.sleep(0.5)  # storing the first piece outlasts the deadline, and is left in peace
    assert ask.open_connections(setup.http) == 0


async def test_closing_the_stream_hangs_up(setup: AdapterSetup) -> None:
    setup.emulator.reply = ["word "] * 1000
    setup.emulator.token_delay = 0.05
    events = setup.adapter.generate(setup.request("text", timeout=60))
    assert isinstance(await anext(events), Delta)
    assert setup.emulator.active == 1

    await events.aclose()

    await ask.until(lambda: setup.emulator.active == 0 and setup.emulator.disconnects == 1)
    assert ask.open_connections(setup.http) == 0


@pytest.mark.parametrize("operation", ["text", "image.generate"])
async def test_cancelling_the_task_hangs_up(setup: AdapterSetup, operation: str) -> None:
    before = ask.own_tasks()
    setup.emulator.fail("hang")
    request = setup.request(operation, timeout=60, **({} if operation == "text" else {"count": 2}))
    task = asyncio.create_task(ask.collect(setup.adapter.generate(request)))
    await ask.until(lambda: setup.emulator.active > 0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await ask.until(lambda: setup.emulator.active == 0)
    assert ask.open_connections(setup.http) == 0
    assert ask.own_tasks() <= before


async def test_a_used_connection_serves_again(setup: AdapterSetup) -> None:
    for _ in range(5):
        await ask.collect(setup.adapter.generate(setup.request("text")))
    assert setup.http._session is not None
    assert sum(len(pool) for pool in setup.http._session.connector._conns.values()) == 1


async def test_many_streams_at_once_keep_apart(setup: AdapterSetup) -> None:
    setup.emulator.token_delay = 0.001
    streams = (ask.collect(setup.adapter.generate(setup.request("chat"))) for _ in range(64))
    for events in await asyncio.gather(*streams):
        assert ask.words(events) == list(setup.emulator.reply)


async def test_no_call_inside_a_transaction(setup: AdapterSetup) -> None:
    token = ambient.transaction_open.set(True)
    try:
        with pytest.raises(CallInsideTransaction):
            await ask.collect(setup.adapter.generate(setup.request("text")))
    finally:
        ambient.transaction_open.reset(token)
    assert setup.emulator.calls == []


async def test_the_conversation_arrives_in_its_order(setup: AdapterSetup) -> None:
    messages = (ChatMessage("user", "one"), ChatMessage("assistant", "two"), ChatMessage("user", "three", (ask.PHOTO,)))
    await ask.collect(setup.adapter.generate(setup.request("chat", messages=messages, system="Be kind.")))
    sent = setup.emulator.calls[-1].body.decode()
    assert -1 < sent.index("one") < sent.index("two") < sent.index("three")
    assert "Be kind." in sent


@pytest.mark.parametrize("operation", ["image.upscale", "image.remove_background"])
async def test_what_it_cannot_do_is_unsupported(setup: AdapterSetup, operation: str) -> None:
    with pytest.raises(Unsupported):
        await ask.collect(setup.adapter.generate(setup.request(operation)))
    assert setup.emulator.calls == []


@pytest.mark.parametrize("name", VENDORS)
async def test_without_a_key_it_names_the_missing_setting(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for key in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    async with Http() as http:
        adapter = VENDORS[name].adapter(Context(http, tmp_path))
        assert "API_KEY" in adapter.missing()
        assert not adapter.serves(VENDORS[name].text_model)
        with pytest.raises(NotConfigured):
            await ask.collect(adapter.generate(ask.text("x", tmp_path)))


@pytest.mark.parametrize("operation", ["text", "chat"])
async def test_the_local_adapter_keeps_the_same_promises(operation: str, tmp_path: Path) -> None:
    async with Http() as http:
        adapter = LocalAdapter(Context(http, tmp_path))
        assert adapter.missing() is None
        assert isinstance(adapter, Provider)
        request = ask.text("sketch-text", tmp_path, operation=operation, timeout=30.0)
        events = await ask.collect(adapter.generate(request))
    assert "".join(ask.words(events)).strip()
    assert isinstance(events[-1], Done)
    assert sum(isinstance(event, Done) for event in events) == 1


def test_adapters_with_jobs_are_pollable(setup: AdapterSetup) -> None:
    has_jobs = any(operation.startswith("video.") for operation in setup.adapter.operations)
    assert isinstance(setup.adapter, Pollable) == has_jobs

"""The adapter for OpenAI's language, and its emulator as the vendor's own SDK sees it."""

import asyncio
import base64
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from tests.emulators.openai import OpenAIEmulator
from tests.providers import ask

from hortus.core.http import Http
from hortus.providers import (
    ChatMessage,
    Context,
    Done,
    RateLimited,
    Rejected,
    Unavailable,
    Unsupported,
    Usage,
    download,
    http_helpers,
    openai_like,
)

NAMES = ("API_KEY", "BASE_URL", "MODEL", "TEXT_MODEL", "IMAGE_MODEL", "IDLE_TIMEOUT")


@pytest.fixture
async def emulator() -> AsyncIterator[OpenAIEmulator]:
    async with OpenAIEmulator() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
def build(http: Http, emulator: OpenAIEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make an adapter of these settings, on the emulator unless told otherwise."""
    monkeypatch.chdir(tmp_path)

    def make(**settings: str) -> openai_like.Adapter:
        for name in NAMES:
            monkeypatch.delenv(f"OPENAI_{name}", raising=False)
        for name, value in ({"BASE_URL": f"{emulator.url}/v1"} | settings).items():
            monkeypatch.setenv(f"OPENAI_{name}", value)
        return openai_like.Adapter(Context(http, tmp_path))

    return make


# The emulator speaks the real language


@pytest.fixture
async def sdk(emulator: OpenAIEmulator):
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=f"{emulator.url}/v1", api_key="sk-x", max_retries=0) as client:
        yield client


async def test_the_sdk_reads_texts(sdk, emulator) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    whole = await sdk.chat.completions.create(model="house-1", messages=messages)
    assert whole.choices[0].message.content == "".join(emulator.reply)
    assert whole.usage.completion_tokens == len(emulator.reply)

    pieces = await sdk.chat.completions.create(
        model="house-1", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in pieces]
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert said == list(emulator.reply)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.prompt_tokens == 11

    assert [model.id async for model in sdk.models.list()] == ["house-1", "house-2"]


async def test_the_sdk_reads_images(sdk, emulator) -> None:
    made = await sdk.images.generate(model="painter", prompt="a pond", n=2, size="256x128")
    assert len(made.data) == 2
    assert Image.open(io.BytesIO(base64.b64decode(made.data[0].b64_json))).size == (256, 128)
    edited = await sdk.images.edit(
        model="painter", prompt="by night", image=("a.png", ask.PHOTO.data, "image/png"), size="64x64"
    )
    assert edited.data[0].b64_json
    assert emulator.calls[-1].form["image"].filename == "a.png"


async def test_the_sdk_reads_failures(sdk, emulator) -> None:
    import openai

    expected = {
        "bad_request": openai.BadRequestError,
        "unauthorized": openai.AuthenticationError,
        "unknown_model": openai.NotFoundError,
        "rate_limited": openai.RateLimitError,
        "error": openai.InternalServerError,
        "half_headers": openai.APIConnectionError,
    }
    for mode, error in expected.items():
        emulator.fail(mode, times=1)
        with pytest.raises(error):
            await sdk.models.list()


# Which models


async def test_the_default_model_is_the_one_set(build, emulator, tmp_path) -> None:
    adapter = build(MODEL="llama", TEXT_MODEL="qwen", IMAGE_MODEL="painter")
    await ask.collect(adapter.generate(ask.text("default", tmp_path)))
    assert emulator.calls[-1].json["model"] == "qwen"
    await ask.collect(adapter.generate(ask.image("default-image", tmp_path)))
    assert emulator.calls[-1].json["model"] == "painter"


async def test_else_it_is_the_first_listed_and_asked_for_once(build, emulator, tmp_path) -> None:
    adapter = build()
    await asyncio.gather(*(ask.collect(adapter.generate(ask.text("default", tmp_path))) for _ in range(5)))
    assert emulator.counts["GET /v1/models"] == 1
    assert emulator.calls[-1].json["model"] == "house-1"


def test_what_it_serves(build) -> None:
    own = build(MODEL="llama")
    assert own.missing() is None
    names = ("default", "default-image", "llama", "qwen3:32b", "gpt-6-luna", "sora-2")
    assert {name for name in names if own.serves(name)} == {"default", "llama", "qwen3:32b"}
    assert build(MODEL="gpt-6-luna").serves("gpt-6-luna")
    vendor = build(API_KEY="sk-x", BASE_URL="https://api.openai.com/v1/")
    assert {name for name in ("default", "default-image", "gpt-6-luna") if vendor.serves(name)} == {"gpt-6-luna"}
    nothing = build(BASE_URL="")
    assert "OPENAI_API_KEY" in nothing.missing()
    assert not nothing.serves("default")


def test_the_settings_may_lie_in_a_file(build, tmp_path) -> None:
    (tmp_path / ".env").write_text("OPENAI_IMAGE_MODEL=painter\n")
    assert build().serves("default-image")


# What is sent


async def test_a_server_of_ones_own_gets_the_names_every_server_knows(build, emulator, tmp_path) -> None:
    request = ask.text("default", tmp_path, max_tokens=77, system="Be brief.")
    await ask.collect(build(MODEL="llama").generate(request))
    sent = emulator.calls[-1]
    assert sent.json["max_tokens"] == 77
    assert "max_completion_tokens" not in sent.json
    assert "store" not in sent.json
    assert sent.json["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent.headers["Idempotency-Key"] == request.id
    assert "Authorization" not in sent.headers


async def test_an_image_in_a_message_travels_along(build, emulator, tmp_path) -> None:
    messages = (ChatMessage("user", "What is this?", (ask.PHOTO,)),)
    await ask.collect(build(API_KEY="sk-x").generate(ask.text("default", tmp_path, messages=messages)))
    part = emulator.calls[-1].json["messages"][0]["content"][1]
    assert base64.b64decode(part["image_url"]["url"].partition(",")[2]) == ask.PHOTO.data
    assert emulator.calls[-1].headers["Authorization"] == "Bearer sk-x"


async def test_an_image_to_restyle_is_uploaded(build, emulator, tmp_path) -> None:
    request = ask.image("painter", tmp_path, operation="image.restyle", source=ask.PHOTO, style="ink", color="teal")
    events = await ask.collect(build(IMAGE_MODEL="painter").generate(request))
    form = emulator.calls[-1].form
    assert form["image"].content_type == "image/png"
    assert "ink" in form["prompt"]
    assert "teal" in form["prompt"]
    assert Image.open(io.BytesIO(ask.outputs(events)[0].content)).size == (1024, 1024)


@pytest.mark.parametrize(
    ("width", "height", "free", "expected"),
    [
        (1024, 1024, False, "1024x1024"),
        (1536, 1024, False, "1536x1024"),
        (1000, 500, True, "1000x500"),
        (512, 512, False, "816x816"),
    ],
)
def test_sizes(width: int, height: int, free: bool, expected: str, tmp_path: Path) -> None:
    assert openai_like._size(ask.image("x", tmp_path, width=width, height=height), free=free) == expected


# What comes back


async def test_too_few_images_are_asked_for_again(build, emulator, tmp_path) -> None:
    emulator.ignores_n = True
    request = ask.image("painter", tmp_path, count=3)
    events = await ask.collect(build(IMAGE_MODEL="painter").generate(request))
    assert len(ask.outputs(events)) == 3
    keys = [call.headers["Idempotency-Key"] for call in emulator.calls]
    assert keys == [request.id, f"{request.id}-1", f"{request.id}-2"]
    assert events[-1] == Done(Usage(input_tokens=27, output_tokens=3168, images=3))


async def test_a_link_to_the_same_server_is_followed(build, emulator, tmp_path) -> None:
    emulator.image_links = True
    events = await ask.collect(build(IMAGE_MODEL="p").generate(ask.image("p", tmp_path, width=48, height=32)))
    assert Image.open(io.BytesIO(ask.outputs(events)[0].content)).size == (48, 32)


async def test_a_link_into_the_house_is_not(http: Http, emulator: OpenAIEmulator, tmp_path: Path) -> None:
    trusted = {"https://vendor.example/v1": {}}
    for url in (
        f"{emulator.url}/made/8x8.png",
        emulator.url.replace("http:", "https:") + "/made/8x8.png",
        "https://localhost/x.png",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "ftp://vendor.example/x",
        "file:///etc/passwd",
        "https://vendor.example:bad/x",
        "",
    ):
        with pytest.raises(Unavailable):
            await download.read(http, url, trusted, timeout=1, max_bytes=1000)
    assert emulator.calls == []


async def test_a_result_larger_than_the_cap_is_not_taken(http: Http, emulator: OpenAIEmulator) -> None:
    url = f"{emulator.url}/made/64x64.png"
    with pytest.raises(Exception, match="larger than 10 bytes"):
        await download.read(http, url, {emulator.url: {}}, timeout=1, max_bytes=10)


async def test_a_full_answer_ends_with_length(build, tmp_path) -> None:
    events = await ask.collect(build().generate(ask.text("default", tmp_path, max_tokens=3)))
    assert isinstance(events[-1], Done)
    assert events[-1].finish == "length"


async def test_the_wait_may_be_a_date_or_missing(build, emulator, tmp_path) -> None:
    waits = []
    for given in ("Wed, 21 Oct 2065 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-4", "1.5", None):
        emulator.retry_after = given
        emulator.fail("rate_limited", times=1)
        with pytest.raises(RateLimited) as caught:
            await ask.collect(build(MODEL="x").generate(ask.text("default", tmp_path)))
        waits.append(caught.value.retry_after)
    assert waits == [86400.0, 0.0, None, None, 1.5, None]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "model does not support tools"}', Unsupported),
        (400, b'{"error":{"code":"content_filter","message":"x"}}', Rejected),
        (402, b"", http_helpers.KeyRefused),
        (404, b"<html>", Unsupported),
        (413, b"", Rejected),
        (422, b'{"detail": [{"msg": "field required"}]}', Rejected),
        (302, b"", Unavailable),
        (418, b"[]", Unavailable),
        (529, b"\xff" * 9, Unavailable),
        (400, b"[" * 100_000, Rejected),
        (400, b'[{"error": {"message": 7, "details": 8}}]', Rejected),
        (401, b"null", http_helpers.KeyRefused),
    ],
)
def test_errors_of_every_shape(status: int, body: bytes, error: type[Exception]) -> None:
    assert type(http_helpers.failure(status, {}, body)) is error


@pytest.mark.parametrize(
    ("said", "believed"),
    [(7, 7), ("12", 12), (3.9, 3), (-1, 0), (True, 0), (None, 0), ("x", 0), ([], 0), (float("nan"), 0)],
)
def test_numbers(said: object, believed: int) -> None:
    assert http_helpers.count(said) == believed
    assert http_helpers.count(float("inf")) == 0
    assert http_helpers.count(10**30) == http_helpers.MAX_TOKENS


async def test_nobody_listens(build, tmp_path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        adapter = build(BASE_URL=f"http://127.0.0.1:{free.getsockname()[1]}/v1", MODEL="x")
        with pytest.raises(Unavailable):
            await ask.collect(adapter.generate(ask.text("default", tmp_path)))

"""Quotes: price and time follow the size of the request, and the charge is the quoted price."""

from typing import Any

import httpx2
import pytest
from tests.emulators.base import png
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, ended

from hortus import ledger, quotas
from hortus.generation.schemas import ImageEditIn, ImageIn, QuoteIn, TextIn, VideoIn
from hortus.generation.sizes import spoken_seconds
from hortus.routing import OfferHealth

SCRIPT = "The shop is open again, and everybody who comes this week gets a cup of tea. " * 12
"""About 900 characters."""

WITHOUT_EFFECT = {
    # how it is answered
    "stream",
    # what the result looks or sounds like
    "style", "color", "voice", "language", "aspect_ratio",
    # by its presence the kind of work, which a quote names
    "photo_file_id",
}  # fmt: skip
"""Fields of requests that change neither price nor time."""

WORKS: list[tuple[str, dict[str, Any]]] = [
    ("text", {"prompt": "Hi"}),
    ("text", {"prompt": "Say something " * 50, "system": "Be brief. " * 20, "max_tokens": 300}),
    ("image", {"prompt": "A kite", "size": "256x256"}),
    ("image", {"prompt": "A kite", "size": "2048x1024", "count": 3}),
    ("edit", {"operation": "restyle"}),
    ("edit", {"operation": "upscale"}),
    ("edit", {"operation": "enhance"}),
    ("edit", {"operation": "remove_background"}),
    ("talking", {"script": "Hello."}),
    ("talking", {"script": SCRIPT}),
    ("video", {"prompt": "A kite"}),
    ("video", {"prompt": "A kite", "duration_s": 12}),
    ("chat", {"content": "Hello"}),
]


@pytest.fixture
async def client(hortus: Hortus) -> httpx2.AsyncClient:
    """A customer whose plan and credit allow everything."""
    made = await hortus.customer()
    async with hortus.database.transaction() as tx:
        user_id = made.tokens["user"]["id"]
        await quotas.set_plan(tx, user_id, name="pro")
        await ledger.grant(tx, user_id, 10**10, reference=f"test:{user_id}", reason="test")
    return made


async def upload(client: httpx2.AsyncClient) -> str:
    answer = await client.post("/api/upload/file", files={"file": ("a.png", png(640, 480), "image/png")})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def price(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/generations/quote", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def quoted_and_held(client: httpx2.AsyncClient, work: str, body: dict[str, Any]) -> tuple[str, str]:
    """The quoted price, and the one that is frozen when the same request is accepted."""
    if work == "text":
        quoted = await price(client, kind="text", **body)
        made = (await client.post("/api/text/generate", json=body)).json()
        return quoted["price_credits"], made["price_credits"]
    if work == "chat":
        room = f"/api/chatroom/{(await client.post('/api/chatroom', json={})).json()['id']}"
        first = await price(client, kind="chat", prompt=body["content"])
        assert (await client.post(f"{room}/quote", json=body)).json()["price_credits"] == first["price_credits"]
        sent = (await client.post(f"{room}/message", json=body)).json()
        assert (await ended(client, sent["generation_id"]))["price_credits"] == first["price_credits"]
        quoted = (await client.post(f"{room}/quote", json=body)).json()
        assert int(quoted["price_credits"]) > int(first["price_credits"])  # the conversation is sent along
        sent = (await client.post(f"{room}/message", json=body)).json()
        return quoted["price_credits"], (await ended(client, sent["generation_id"]))["price_credits"]
    if work == "edit":
        body = {**body, "file_id": await upload(client)}
        quoted = await price(client, kind="image", **body)
        by_size = await price(client, kind="image", operation=body["operation"], size="640x480")
        assert by_size["price_credits"] == quoted["price_credits"]
        path = "/api/image/edit"
    else:
        kind = "image" if work == "image" else "video"
        quoted, path = await price(client, kind=kind, **body), f"/api/{kind}/generate"
    if work == "talking":
        body = {**body, "photo_file_id": await upload(client)}
    answer = await client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    await client.post(f"/api/generations/{answer.json()['id']}/cancel")
    return quoted["price_credits"], answer.json()["price_credits"]


async def test_the_price_that_is_held_is_the_quoted_one(client: httpx2.AsyncClient, vendor: OpenAIEmulator):
    found = [(work, body, *await quoted_and_held(client, work, body)) for work, body in WORKS]
    assert [each for each in found if each[2] != each[3]] == []


LARGER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"kind": "text", "max_tokens": 100}, {"max_tokens": 4000}),
    ({"kind": "image"}, {"size": "2048x2048"}),
    ({"kind": "image"}, {"count": 4}),
    ({"kind": "image", "operation": "restyle"}, {"size": "2048x2048"}),
    ({"kind": "image", "operation": "enhance"}, {"operation": "upscale"}),
    ({"kind": "video", "script": "A short script of one sentence."}, {"script": SCRIPT}),
    ({"kind": "video", "prompt": "A kite"}, {"duration_s": 30}),
]


@pytest.mark.parametrize(("small", "larger"), LARGER)
async def test_larger_work_costs_more_and_takes_longer(client: httpx2.AsyncClient, small: Any, larger: Any):
    one, other = await price(client, **small), await price(client, **{**small, **larger})
    assert int(other["price_credits"]) > int(one["price_credits"])
    assert other["p50_seconds"] > one["p50_seconds"]
    assert other["p95_seconds"] > one["p95_seconds"]


async def test_a_quote_says_how_long_the_video_will_be(client: httpx2.AsyncClient):
    assert 50 <= (await price(client, kind="video", script=SCRIPT))["duration_s"] <= 70
    assert (await price(client, kind="video", prompt="A kite", duration_s=9))["duration_s"] == 9
    assert (await price(client, kind="image"))["duration_s"] is None
    # The least that is charged for a video.
    tiny = await price(client, kind="video", script="A.")
    models = (await client.get("/api/models")).json()["items"]
    rates = next(model["price"] for model in models if model["id"] == tiny["model"])
    assert tiny["price_credits"] == rates["minimum"]


def test_every_field_that_could_change_a_price_is_a_field_of_the_quote():
    handled = set(QuoteIn.model_fields) | WITHOUT_EFFECT
    for body in (TextIn, ImageIn, ImageEditIn, VideoIn):
        assert set(body.model_fields) <= handled, f"list each field of {body.__name__} as priced or without effect"


def test_the_time_of_long_work_follows_from_short_runs():
    health = OfferHealth()
    for _ in range(6):
        health.succeeded("p", "m", 12.0, typical=6.0)  # twice as slow as in the catalogue
    short, long = health.durations("p", "m", 6.0), health.durations("p", "m", 60.0)
    assert (short.p50, long.p50) == (12.0, 120.0)
    assert (short.samples, long.samples) == (6, 6)


@pytest.mark.parametrize(
    ("script", "seconds"), [("Hi", 1), ("a" * 900, 60), ("語" * 300, 60), ("क" * 150, 10), ("ab語", 1)]
)
def test_how_long_a_script_is_spoken(script: str, seconds: int):
    assert spoken_seconds(script) == seconds

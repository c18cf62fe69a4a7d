"""The charge of a stopped generation: nothing before the first content, then input and delivered text."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.emulators.gemini import GeminiEmulator
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, ended, events_of, serve

WORDS = tuple(f"piece{number} " for number in range(40))
PER_CALL, PER_1K_TOKENS = 50_000, 100_000
"""The price of the emulated model in the built-in catalogue, in micro-credits."""


def tokens_of(*texts: str) -> int:
    """The published estimate: one token for three bytes of UTF-8, at least one for each text."""
    return sum(max(1, -(-len(each.encode()) // 3)) for each in texts)


def charge_of(tokens: int, held: str) -> int:
    """The published rule, for the emulated model."""
    return min(int(held), PER_CALL + -(-PER_1K_TOKENS * tokens // 1000))


async def spent(client: httpx2.AsyncClient) -> tuple[int, int]:
    """The charged and the held credit."""
    found = (await client.get("/api/user/usage")).json()["credits"]
    return -int(found["balance"]), int(found["held"])


async def used(client: httpx2.AsyncClient, kind: str) -> int:
    windows = (await client.get("/api/user/usage")).json()["windows"]
    return max(window["used"] for window in windows if window["kind"] == kind)


async def newest(client: httpx2.AsyncClient) -> dict[str, Any]:
    return (await client.get("/api/generations?limit=1")).json()["items"][0]


@pytest.fixture(autouse=True)
def slow(vendor: OpenAIEmulator) -> None:
    """A vendor that can be stopped in the middle."""
    vendor.reply, vendor.token_delay = WORDS, 0.1


async def leave_after(client: httpx2.AsyncClient, pieces: int, prompt: str = "Tell me") -> tuple[str, str]:
    """Read so many pieces of a streamed text and disconnect; its id and the text read."""
    generation_id, read = "", ""
    async with client.stream("POST", "/api/text/generate", json={"prompt": prompt, "stream": True}) as answer:
        assert answer.status_code == 200, await answer.aread()
        block = ""
        async for line in answer.aiter_lines():
            block += line + "\n"
            if line:
                continue
            for name, _, data in events_of(block):
                generation_id = data["generation_id"]
                read += data["text"] if name == "delta" else ""
                pieces -= name == "delta"
            block = ""
            if pieces <= 0:
                break
    return generation_id, read


async def test_a_disconnected_stream_is_charged_for_delivered_text(hortus: Hortus):
    client = await hortus.customer()
    before, _ = await spent(client)
    generation_id, read = await leave_after(client, 5)
    stopped = await ended(client, generation_id)
    assert stopped["status"] == "cancelled"
    assert stopped["text"].startswith(read)
    assert "".join(WORDS).startswith(stopped["text"])
    assert len(stopped["text"]) < len("".join(WORDS))
    tokens = tokens_of("Tell me", "", stopped["text"])
    assert stopped["usage"] == {
        "input_tokens": tokens_of("Tell me", ""),
        "output_tokens": tokens_of(stopped["text"]),
        "finish": "stopped",
        "estimated": True,
    }
    assert int(stopped["charged_credits"]) == charge_of(tokens, stopped["price_credits"])
    after, held = await spent(client)
    assert (after - before, held) == (int(stopped["charged_credits"]), 0)
    assert await used(client, "text") == 1
    assert [each["status"] for each in stopped["attempts"]] == ["stopped"]


async def test_a_stream_that_is_left_before_the_first_piece_costs_nothing(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    before = await spent(client)
    vendor.first_token_delay = 30
    generation_id, _ = await leave_after(client, 0)
    stopped = await ended(client, generation_id)
    assert (stopped["status"], stopped["charged_credits"], stopped["text"]) == ("cancelled", "0", None)
    assert await spent(client) == before
    assert await used(client, "text") == 0


async def test_a_finished_text_settles_to_the_vendors_usage(hortus: Hortus, vendor: OpenAIEmulator):
    """Otherwise stopping at the last piece would be cheaper than the whole."""
    client = await hortus.customer()
    vendor.token_delay = 0
    before, _ = await spent(client)
    answer = (await client.post("/api/text/generate", json={"prompt": "Tell me"})).json()
    tokens = 11 + len(WORDS)
    assert answer["usage"] == {"input_tokens": 11, "output_tokens": len(WORDS), "finish": "stop", "estimated": False}
    assert int(answer["charged_credits"]) == charge_of(tokens, answer["price_credits"]) < int(answer["price_credits"])
    assert await spent(client) == (before + int(answer["charged_credits"]), 0)
    vendor.fail("wrong_usage", times=1)
    answer = (await client.post("/api/text/generate", json={"prompt": "Tell me"})).json()
    assert answer["usage"]["estimated"]
    assert int(answer["charged_credits"]) <= int(answer["price_credits"])


async def test_a_stop_is_charged_by_the_vendors_own_usage_where_it_came(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    async with GeminiEmulator(reply=WORDS, token_delay=0.1) as vendor:
        monkeypatch.setenv("GEMINI_BASE_URL", vendor.url)
        monkeypatch.setenv("GEMINI_API_KEY", "AIza-emulated")
        async with serve(database_url, tmp_path) as hortus:
            client = await hortus.customer()
            generation_id, read = await leave_after(client, 5)
            stopped = await ended(client, generation_id)
            models = (await client.get("/api/models")).json()["items"]
    pieces = stopped["text"].count(" ")
    assert pieces >= read.count(" ") >= 5
    # Eleven tokens are read and five thought, as the emulator reports, and each piece is one.
    assert stopped["usage"] == {
        "input_tokens": 11,
        "output_tokens": pieces + 5,
        "finish": "stopped",
        "estimated": False,
    }
    rates = next(model["price"] for model in models if model["id"] == stopped["model"])
    assert int(stopped["charged_credits"]) == -(-int(rates["per_1k_tokens"]) * (11 + pieces + 5) // 1000)


# Ways to stop a reply ---------------------------------------------------------


async def start_reply(client: httpx2.AsyncClient) -> tuple[str, dict[str, Any]]:
    room = (await client.post("/api/chatroom", json={"title": "A"})).json()["id"]
    answer = await client.post(f"/api/chatroom/{room}/message", json={"content": "Tell me"})
    assert answer.status_code == 202, answer.text
    return room, answer.json()


async def read_pieces(client: httpx2.AsyncClient, room: str, pieces: int) -> str:
    """Wait for so many pieces of the reply."""
    read, wanted = "", pieces
    async with client.stream("GET", f"/api/chatroom/{room}/events", headers={"Last-Event-ID": "1"}) as answer:
        async with asyncio.timeout(30):
            async for line in answer.aiter_lines():
                if line.startswith("data:") and '"text":' in line:
                    read += line.rpartition('"text":"')[2].removesuffix('"}')
                    wanted -= 1
                if wanted <= 0:
                    break
    return read


async def cancel(client: httpx2.AsyncClient, _room: str, generation_id: str) -> None:
    answer = await client.post(f"/api/generations/{generation_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def delete_generation(client: httpx2.AsyncClient, _room: str, generation_id: str) -> None:
    assert (await client.delete(f"/api/generations/{generation_id}")).status_code == 204


async def delete_room(client: httpx2.AsyncClient, room: str, _generation_id: str) -> None:
    assert (await client.delete(f"/api/chatroom/{room}")).status_code == 204


async def delete_account(client: httpx2.AsyncClient, _room: str, _generation_id: str) -> None:
    answer = await client.request("DELETE", "/api/user/me", json={"password": "a long enough passphrase 7"})
    assert answer.status_code in (200, 202, 204), answer.text


Stop = Callable[[httpx2.AsyncClient, str, str], Awaitable[None]]
WAYS = [cancel, delete_generation, delete_room, delete_account]


@pytest.fixture
def books(hortus: Hortus) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """The row of a generation, deleted or not."""

    query = text(
        "SELECT g.status, g.price, g.charged, g.usage, r.status AS hold, r.settled_amount, t.status AS quota "
        "FROM generations g JOIN credit_reservations r ON r.reference = g.id JOIN quota_uses t ON t.reference = g.id "
        "WHERE g.id = :id"
    )

    async def read(generation_id: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                async with hortus.database.snapshot() as tx:
                    found = dict((await tx.execute(query, {"id": generation_id})).mappings().one())
                if found["status"] not in ("queued", "running"):
                    return found
                await asyncio.sleep(0.05)

    return read


@pytest.mark.parametrize("stop", WAYS)
async def test_a_stopped_reply_is_charged_for_delivered_text_however_it_was_stopped(hortus: Hortus, books, stop: Stop):
    client = await hortus.customer()
    room, sent = await start_reply(client)
    read = await read_pieces(client, room, 4)
    await stop(client, room, sent["generation_id"])
    found = await books(sent["generation_id"])
    assert (found["status"], found["hold"], found["quota"]) == ("cancelled", "settled", "consumed")
    assert 0 < found["settled_amount"] == found["charged"] < found["price"]
    usage = found["usage"] if isinstance(found["usage"], dict) else json.loads(found["usage"])
    assert usage["estimated"] is True
    assert usage["output_tokens"] >= tokens_of(read)
    assert found["charged"] == charge_of(usage["input_tokens"] + usage["output_tokens"], found["price"])


@pytest.mark.parametrize("stop", WAYS)
async def test_whatever_stops_a_reply_before_its_first_piece_it_is_free(
    hortus: Hortus, vendor: OpenAIEmulator, books, stop: Stop
):
    client = await hortus.customer()
    vendor.first_token_delay = 30
    room, sent = await start_reply(client)
    async with asyncio.timeout(20):
        while not vendor.active:
            await asyncio.sleep(0.02)
    await stop(client, room, sent["generation_id"])
    found = await books(sent["generation_id"])
    assert (found["status"], found["hold"], found["quota"]) == ("cancelled", "released", "restored")
    assert (found["settled_amount"], found["charged"]) == (0, 0)


async def test_a_stopped_reply_keeps_its_text_and_is_context(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room, sent = await start_reply(client)
    await read_pieces(client, room, 4)
    await cancel(client, room, sent["generation_id"])
    messages = (await client.get(f"/api/chatroom/{room}")).json()["messages"]
    reply = messages[-1]
    made = (await client.get(f"/api/generations/{sent['generation_id']}")).json()
    assert (reply["status"], reply["content"]) == ("done", made["text"])
    assert (await client.post(f"/api/generations/{made['id']}/cancel")).json()["code"] == "generation_ended"
    vendor.token_delay = 0
    again = await client.post(f"/api/chatroom/{room}/message", json={"content": "Go on"})
    await ended(client, again.json()["generation_id"])
    contents = [message["content"] for message in vendor.calls[-1].json["messages"][1:]]
    assert contents == ["Tell me", made["text"], "Go on"]


async def test_a_text_that_is_not_streamed_comes_as_far_as_it_was_written(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    request = asyncio.create_task(client.post("/api/text/generate", json={"prompt": "Tell me"}))
    async with asyncio.timeout(20):
        while not vendor.active:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    made = await newest(client)
    assert (await client.post(f"/api/generations/{made['id']}/cancel")).status_code == 200
    answer = (await request).json()
    assert answer["usage"]["finish"] == "stopped"
    assert "".join(WORDS).startswith(answer["text"])
    assert int(answer["charged_credits"]) == charge_of(
        tokens_of("Tell me", "", answer["text"]), answer["price_credits"]
    )


async def test_many_who_stop_one_reply_stop_it_once(hortus: Hortus):
    client = await hortus.customer()
    before, _ = await spent(client)
    room, sent = await start_reply(client)
    await read_pieces(client, room, 3)
    path = f"/api/generations/{sent['generation_id']}"
    answers = await asyncio.gather(*(client.post(f"{path}/cancel") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.json()["charged_credits"] for answer in answers if answer.status_code == 200} == {
        (await client.get(path)).json()["charged_credits"]
    }
    after, held = await spent(client)
    assert (after - before, held) == (int((await client.get(path)).json()["charged_credits"]), 0)


async def test_the_budget_of_a_key_follows_the_same_rule(hortus: Hortus):
    owner = await hortus.customer()
    made = (
        await owner.post("/api/keys", json={"name": "k", "scopes": ["*"], "budgets": {"daily_credits": "5000000"}})
    ).json()
    assert "secret" in made, made
    machine = hortus.anonymous()
    machine.headers["Authorization"] = f"Bearer {made['secret']}"
    generation_id, _ = await leave_after(machine, 4)
    stopped = await ended(machine, generation_id)
    whole = (await machine.post("/api/text/generate", json={"prompt": "Tell me"})).json()

    async with hortus.database.snapshot() as tx:
        rows = (await tx.execute(text('SELECT "window", calls, credits FROM budget_usage'))).all()
    total = int(stopped["charged_credits"]) + int(whole["charged_credits"])
    assert sorted(map(tuple, rows)) == [("day", 2, total), ("month", 2, total)]


async def test_seven_stopped_replies_are_seven_of_the_window(hortus: Hortus):
    client = await hortus.customer()
    codes = []
    for _ in range(6):
        room = (await client.post("/api/chatroom", json={"title": "A"})).json()["id"]
        answer = await client.post(f"/api/chatroom/{room}/message", json={"content": "Tell me"})
        codes.append(answer.status_code)
        if answer.status_code == 202:
            await read_pieces(client, room, 2)
            await cancel(client, room, answer.json()["generation_id"])
    assert codes == [202] * 5 + [429]

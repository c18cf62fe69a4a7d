"""Chat over HTTP."""

import asyncio

import httpx2
from tests.emulators.openai import OpenAIEmulator
from tests.serving import Hortus

from hortus.chat.tables import Message
from hortus.core import clock, ids
from hortus.core.events import Bus
from hortus.tasks import presence

LATER = "9" * 16
"""An event id that no event has yet."""


async def replied(client: httpx2.AsyncClient, room_id: str, reply_id: str) -> dict:
    async with asyncio.timeout(20):
        while True:
            messages = (await client.get(f"/api/chatroom/{room_id}")).json()["messages"]
            reply = next(message for message in messages if message["id"] == reply_id)
            if reply["status"] != "pending":
                return reply
            await asyncio.sleep(0.03)


async def send(client: httpx2.AsyncClient, room_id: str, content: str) -> dict:
    answer = await client.post(f"/api/chatroom/{room_id}/message", json={"content": content})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_a_reply_is_made_in_the_background_with_the_context(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
    sent = await send(client, room["id"], "First question")
    first = await replied(client, room["id"], sent["reply"]["id"])
    assert first["status"] == "done"
    assert first["content"]
    sent = await send(client, room["id"], "Second question")
    assert sent["message"]["parent_id"] == first["id"]
    await replied(client, room["id"], sent["reply"]["id"])
    asked = vendor.calls[-1].json["messages"]
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "user"]
    assert asked[1]["content"] == "First question"


async def test_a_failed_reply_is_free_and_never_context(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    before = (await client.get("/api/user/usage")).json()["credits"]
    room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
    vendor.fail("500", times=20)
    sent = await send(client, room["id"], "Will fail")
    failed = await replied(client, room["id"], sent["reply"]["id"])
    assert (failed["status"], failed["content"]) == ("error", "")
    assert (await client.get("/api/user/usage")).json()["credits"] == before
    vendor.heal()
    again = await client.post(f"/api/chatroom/{room['id']}/message/{failed['id']}/regenerate")
    assert again.status_code == 202, again.text
    good = await replied(client, room["id"], again.json()["reply"]["id"])
    assert good["status"] == "done"
    assert good["parent_id"] == failed["parent_id"]
    said = [message["content"] for message in vendor.calls[-1].json["messages"] if message["role"] != "system"]
    assert said == ["Will fail"]


async def test_the_list_is_remembered_and_dropped_on_any_write(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = (await client.post("/chatroom/", json={"title": "One"})).json()
    assert (await client.get("/chatroom")).headers["x-cache"] == "miss"
    assert (await client.get("/chatroom/")).headers["x-cache"] == "hit"
    changed = await client.patch(f"/api/chatroom/{room['id']}", json={"title": "Two", "pinned": True})
    assert changed.status_code == 200
    listed = await client.get("/api/chatroom")
    assert listed.headers["x-cache"] == "miss"
    assert [line["title"] for line in listed.json()["items"]] == ["Two"]
    assert (await client.get("/api/chatroom", params={"q": "tw"})).json()["items"]
    assert (await client.delete(f"/api/chatroom/{room['id']}")).status_code == 204
    assert (await client.get("/api/chatroom")).json()["items"] == []
    assert (await client.get(f"/api/chatroom/{room['id']}")).status_code == 404


async def test_deltas_reach_the_room_and_a_late_listener_catches_up(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
    sent = await send(client, room["id"], "Tell me")
    await replied(client, room["id"], sent["reply"]["id"])
    text, done = "", False
    async with client.stream("GET", f"/api/chatroom/{room['id']}/events", headers={"Last-Event-ID": "1"}) as answer:
        async with asyncio.timeout(10):
            async for line in answer.aiter_lines():
                text += line
                if line.startswith("event: done"):
                    done = True
                    break
    assert done
    assert "event: delta" in text


async def test_editing_makes_a_sibling(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
    sent = await send(client, room["id"], "Frist")
    await replied(client, room["id"], sent["reply"]["id"])
    edited = await client.patch(
        f"/api/chatroom/{room['id']}/message/{sent['message']['id']}", json={"content": "First"}
    )
    assert edited.status_code == 202, edited.text
    assert edited.json()["message"]["parent_id"] == sent["message"]["parent_id"]
    await replied(client, room["id"], edited.json()["reply"]["id"])
    wrong = await client.patch(f"/api/chatroom/{room['id']}/message/{sent['reply']['id']}", json={"content": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_role")


async def test_a_reply_that_nobody_announced_is_found_in_the_database(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
    sent = await send(client, room["id"], "Tell me")
    await replied(client, room["id"], sent["reply"]["id"])
    async with hortus.database.transaction() as tx:
        await presence.show(tx, "elsewhere:1:a", "worker", {"interactive": 1}, 0)
    hortus.resources.get(Bus).alone = False  # as its own next look would find
    async with client.stream("GET", f"/api/chatroom/{room['id']}/events", headers={"Last-Event-ID": LATER}) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        said = {"room_id": room["id"], "role": "assistant", "content": "Made elsewhere", "status": "done"}
        async with hortus.database.transaction() as tx:
            tx.add(Message(id=ids.new(), parent_id=sent["message"]["id"], created_at=clock.now(), **said))
        told = ""
        async with asyncio.timeout(30):
            while "event: done" not in told or "Made elsewhere" not in told:
                told += await anext(lines)
    assert told.count("event: done") == 1  # what had ended before is no news

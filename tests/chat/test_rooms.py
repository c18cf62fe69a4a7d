"""Chat over HTTP."""

import asyncio

import httpx2
from sqlalchemy import func, select
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus

from hortus.chat.tables import Chatroom, Message
from hortus.core import clock, ids
from hortus.core.db import search
from hortus.core.events import Bus
from hortus.tasks import EmbeddedEngine, heartbeats

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
    expected = vendor.calls[-1].json["messages"]
    assert [message["role"] for message in expected] == ["system", "user", "assistant", "user"]
    assert expected[1]["content"] == "First question"


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
    result = [message["content"] for message in vendor.calls[-1].json["messages"] if message["role"] != "system"]
    assert result == ["Will fail"]


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


async def test_a_reply_without_an_event_is_found_in_the_database(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
    sent = await send(client, room["id"], "Tell me")
    await replied(client, room["id"], sent["reply"]["id"])
    async with hortus.database.transaction() as tx:
        await heartbeats.beat(tx, "elsewhere:1:a", "worker", {"interactive": 1}, 0)
    hortus.resources[Bus].alone = False  # as its own next look would find
    async with client.stream("GET", f"/api/chatroom/{room['id']}/events", headers={"Last-Event-ID": LATER}) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        result = {"room_id": room["id"], "role": "assistant", "content": "Made elsewhere", "status": "done"}
        async with hortus.database.transaction() as tx:
            owner = (await tx.get(Chatroom, room["id"])).user_id
            result["search"] = search.document(owner, result["content"])
            tx.add(Message(id=ids.new(), parent_id=sent["message"]["id"], created_at=clock.now(), **result))
        stream = ""
        async with asyncio.timeout(30):
            while "event: done" not in stream or "Made elsewhere" not in stream:
                stream += await anext(lines)
    assert stream.count("event: done") == 1  # the reply that had ended before is not sent


# Messages that arrive together -------------------------------------------------


async def test_messages_of_one_moment_do_not_mind_each_other(hortus: Hortus, vendor: OpenAIEmulator):
    ann, bob = await hortus.customer(), await hortus.customer()
    first, second = [(await ann.post("/api/chatroom", json={"title": name})).json()["id"] for name in "ab"]
    own = (await bob.post("/api/chatroom", json={"title": "c"})).json()["id"]

    async def send_to(client: httpx2.AsyncClient, room_id: str, key: str | None = None, **more: object):
        headers = {"Idempotency-Key": key} if key else {}
        return await client.post(
            f"/api/chatroom/{room_id}/message", json={"content": f"Hello {key}", **more}, headers=headers
        )

    unknown = "0195b0a0-0000-7000-8000-000000000000"
    answers = await asyncio.gather(
        send_to(ann, first, "1"),
        send_to(bob, first),
        send_to(ann, first, "2"),
        send_to(ann, unknown),
        send_to(ann, second, attachments=[unknown]),
        send_to(ann, first, "1"),
        send_to(bob, own),
        send_to(ann, first, "2", quality="economy"),
        send_to(ann, second, model="no-such-model"),
        send_to(ann, second),
    )
    result = [(answer.status_code, answer.json().get("code")) for answer in answers]
    assert result[:2] == [(202, None), (404, "chatroom_not_found")]
    assert result[3] == (404, "chatroom_not_found")
    assert result[4] == (404, "file_not_found")
    assert result[6] == result[9] == (202, None)
    assert result[8][0] >= 400
    assert sorted([result[2], result[7]]) == [(202, None), (422, "idempotency_mismatch")]
    assert answers[5].json() == answers[0].json()
    assert sorted(answers[place].headers.get("Idempotency-Replayed", "") for place in (0, 5)) == ["", "true"]
    for client, room_id, expected in ((ann, first, 2), (ann, second, 1), (bob, own, 1)):
        messages = (await client.get(f"/api/chatroom/{room_id}")).json()["messages"]
        users = [message for message in messages if message["role"] == "user"]
        assert len(users) == expected
        assert len(messages) == 2 * expected
        # They form one line: no two messages have the same parent.
        assert len({message["parent_id"] for message in users}) == expected
        replies = [message for message in messages if message["role"] == "assistant"]
        assert sorted(reply["parent_id"] for reply in replies) == sorted(message["id"] for message in users)
        for reply in replies:
            assert (await replied(client, room_id, reply["id"]))["status"] == "done"


async def test_of_many_messages_of_one_moment_as_many_are_taken_as_there_is_room_for(
    hortus: Hortus, vendor: OpenAIEmulator
):
    client = await hortus.customer()
    rooms = [(await client.post("/api/chatroom", json={"title": "Race"})).json()["id"] for _ in range(4)]

    async def left() -> int:
        windows = (await client.get("/api/user/usage")).json()["windows"]
        return min(each["remaining"] for each in windows if each["kind"] == "chat" and each["remaining"] is not None)

    room_for = await left()
    answers = await asyncio.gather(
        *(
            client.post(f"/api/chatroom/{rooms[number % 4]}/message", json={"content": f"Number {number}"})
            for number in range(room_for + 20)
        )
    )
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 202}
    assert (len(accepted), refused) == (room_for, {"quota_exceeded"})
    for sent, room_id in ((each, each["message"]["id"]) for each in accepted):
        assert sent["reply"]["parent_id"] == room_id
    await hortus.resources[EmbeddedEngine].idle()
    async with hortus.database.snapshot() as tx:
        count = select(func.count()).select_from(Message).where(Message.room_id.in_(rooms))
        assert (await tx.execute(count)).scalar_one() == 2 * room_for  # of the refused nothing is stored
    assert await left() == 0


async def test_search_finds_messages_replies_rooms_and_works_of_the_caller_alone(
    hortus: Hortus, vendor: OpenAIEmulator
):
    ada, eve = await hortus.customer(), await hortus.customer()
    rooms = {}
    for client in (ada, eve):
        room = (await client.post("/api/chatroom", json={"title": "Café plans", "description": "chairs"})).json()
        sent = await send(client, room["id"], "Which teapot, for Łódź?")
        await replied(client, room["id"], sent["reply"]["id"])
        await client.post("/api/image/generate", json={"prompt": "a teapot at dawn"})
        rooms[client] = room["id"]
    hits = (await ada.get("/api/chatroom/search", params={"q": "łódź TEAP"})).json()["items"]
    assert [(hit["room_id"], hit["room_title"], hit["role"]) for hit in hits] == [(rooms[ada], "Café plans", "user")]
    reply = (await ada.get(f"/api/chatroom/{rooms[ada]}")).json()["messages"][-1]
    word = reply["content"].split()[0]
    assert reply["id"] in {
        hit["id"] for hit in (await ada.get("/api/chatroom/search", params={"q": word})).json()["items"]
    }
    for q in ("cafe", "chai", "plan cafe"):
        assert [room["id"] for room in (await ada.get("/api/chatroom", params={"q": q})).json()["items"]] == [
            rooms[ada]
        ]
    works = (await ada.get("/api/generations", params={"q": "dawn"})).json()["items"]
    assert [work["prompt"] for work in works] == ["a teapot at dawn"]
    assert (await ada.get("/api/chatroom/search", params={"q": ""})).status_code == 422
    await ada.delete(f"/api/chatroom/{rooms[ada]}")
    await ada.delete(f"/api/generations/{works[0]['id']}")
    for path in ("chatroom", "chatroom/search", "generations"):
        assert (await ada.get(f"/api/{path}", params={"q": "teapot"})).json()["items"] == []
        assert (
            len(
                (await eve.get(f"/api/{path}", params={"q": "teapot" if path != "chatroom" else "cafe"})).json()[
                    "items"
                ]
            )
            == 1
        )

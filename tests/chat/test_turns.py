"""Messages that are sent while a reply is still being made: each reply is context of every later one."""

import asyncio
from typing import Any

import httpx2
import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, ended

from hortus import quotas


@pytest.fixture(autouse=True)
def slow(vendor: OpenAIEmulator) -> None:
    """A vendor that takes its time."""
    vendor.reply, vendor.token_delay = ("An ", "answer."), 0.2


async def new_room(client: httpx2.AsyncClient) -> str:
    return f"/api/chatroom/{(await client.post('/api/chatroom', json={'title': 'A'})).json()['id']}"


async def send(client: httpx2.AsyncClient, room: str, content: str) -> dict[str, Any]:
    answer = await client.post(f"{room}/message", json={"content": content})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def all_done(client: httpx2.AsyncClient, *sent: dict[str, Any]) -> list[str]:
    return [(await ended(client, each["generation_id"], 60))["status"] for each in sent]


def read_by(vendor: OpenAIEmulator, last: str) -> list[tuple[str, str]]:
    """The messages that the vendor received for the message that ends so."""
    for call in vendor.calls:
        messages = [(each["role"], each["content"]) for each in call.json["messages"][1:]]
        if messages[-1][1].endswith(last):
            return messages
    raise AssertionError(f"no call ended with {last!r}")


async def nothing_is_held(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/user/usage")).json()["credits"]["held"] == "0"


async def test_a_message_that_is_sent_meanwhile_follows_the_pending_reply(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = await new_room(client)
    sent = [await send(client, room, f"Question {number}") for number in range(3)]
    assert sent[1]["message"]["parent_id"] == sent[0]["reply"]["id"]
    assert sent[2]["message"]["parent_id"] == sent[1]["reply"]["id"]
    assert await all_done(client, *sent) == ["succeeded"] * 3
    later = await send(client, room, "Question 3")
    await all_done(client, later)
    questions = [("user", f"Question {number}") for number in range(4)]
    for number in range(4):
        context = read_by(vendor, f"Question {number}")
        assert context[::2] == questions[: number + 1]
        assert context[1::2] == [("assistant", "An answer.")] * number
    await nothing_is_held(client)


async def test_sends_at_once_stand_in_one_line_and_read_each_other(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    async with hortus.database.transaction() as tx:
        await quotas.set_plan(tx, client.tokens["user"]["id"], name="pro")
    room = await new_room(client)
    vendor.token_delay = 0.01
    sent = await asyncio.gather(*(send(client, room, f"Question {number}.") for number in range(8)))
    assert await all_done(client, *sent) == ["succeeded"] * 8
    messages = (await client.get(room, params={"limit": 50})).json()["messages"]
    parents = [each["parent_id"] for each in messages]
    assert len(set(parents)) == len(parents) == 16
    lengths = sorted(len(read_by(vendor, each["message"]["content"])) for each in sent)
    # The context is capped at ten messages, and begins with one of the user.
    assert lengths == [1, 3, 5, 7, 9, 9, 9, 9]
    await nothing_is_held(client)


async def test_a_reply_that_fails_lets_the_next_one_begin(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = await new_room(client)
    vendor.fail("refusal", times=1)
    first = await send(client, room, "Something awful")
    second = await send(client, room, "Something nice")
    assert await all_done(client, first, second) == ["failed", "succeeded"]
    assert read_by(vendor, "Something nice") == [("user", "Something awful\n\nSomething nice")]
    await nothing_is_held(client)


async def test_a_waiting_reply_that_is_cancelled_lets_those_after_it_wait_on(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = await new_room(client)
    vendor.token_delay = 0.5
    first, second, third = [await send(client, room, f"Question {number}") for number in range(3)]
    cancelled = await client.post(f"/api/generations/{second['generation_id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["charged_credits"]) == (200, "0")
    assert await all_done(client, first, third) == ["succeeded", "succeeded"]
    expected = [("user", "Question 0"), ("assistant", "An answer."), ("user", "Question 1\n\nQuestion 2")]
    assert read_by(vendor, "Question 2") == expected
    await nothing_is_held(client)


async def test_a_stopped_reply_is_read_by_the_one_that_waited(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = await new_room(client)
    vendor.reply, vendor.token_delay = ("word ",) * 40, 0.2
    first, second = [await send(client, room, f"Question {number}") for number in range(2)]
    async with asyncio.timeout(30):
        while not vendor.active:
            await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    stopped = (await client.post(f"/api/generations/{first['generation_id']}/cancel")).json()
    vendor.token_delay = 0
    assert stopped.get("text"), stopped
    assert await all_done(client, second) == ["succeeded"]
    expected = [("user", "Question 0"), ("assistant", stopped["text"]), ("user", "Question 1")]
    assert read_by(vendor, "Question 1") == expected


async def test_regenerating_and_editing_meanwhile_read_their_own_branch(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = await new_room(client)
    first = await send(client, room, "First")
    second = await send(client, room, "Second")
    pending, changed = await asyncio.gather(
        client.post(f"{room}/message/{first['reply']['id']}/regenerate"),
        client.patch(f"{room}/message/{second['message']['id']}", json={"content": "Edited"}),
    )
    assert (pending.status_code, pending.json()["code"]) == (409, "reply_pending")
    assert changed.status_code == 202, changed.text
    edited = changed.json()
    assert edited["message"]["parent_id"] == first["reply"]["id"]
    assert await all_done(client, first, second, edited) == ["succeeded"] * 3
    again = (await client.post(f"{room}/message/{first['reply']['id']}/regenerate")).json()
    assert again["reply"]["parent_id"] == first["message"]["id"]
    assert await all_done(client, again) == ["succeeded"]
    assert [role for role, _ in read_by(vendor, "Second")] == ["user", "assistant", "user"]
    assert read_by(vendor, "Edited") == [("user", "First"), ("assistant", "An answer."), ("user", "Edited")]
    await nothing_is_held(client)


async def test_nothing_waits_in_a_room_that_is_deleted(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    room = await new_room(client)
    sent = [await send(client, room, f"Question {number}") for number in range(3)]
    assert (await client.delete(room)).status_code == 204
    fates = await all_done(client, *sent)
    assert fates[1:] == ["cancelled", "cancelled"]
    await nothing_is_held(client)


async def test_simultaneous_stops_sends_and_ends_leave_no_reply_waiting(
    hortus: Hortus, vendor: OpenAIEmulator, full: bool
):
    client = await hortus.customer()
    async with hortus.database.transaction() as tx:
        await quotas.set_plan(tx, client.tokens["user"]["id"], name="pro")
    vendor.token_delay = 0.05
    for _ in range(20 if full else 4):
        room = await new_room(client)
        sent = await asyncio.gather(*(send(client, room, f"Question {number}") for number in range(5)))
        await asyncio.sleep(0.1)
        stops = [client.post(f"/api/generations/{each['generation_id']}/cancel") for each in sent[::2]]
        *answers, last = await asyncio.gather(*stops, send(client, room, "Last"))
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert set(await all_done(client, *sent, last)) <= {"succeeded", "cancelled"}
        statuses = {each["status"] for each in (await client.get(room)).json()["messages"]}
        assert "pending" not in statuses
    await nothing_is_held(client)

"""Generations that end in one transaction have an outcome each; the process that runs a cancelled one notices."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx2
import pytest
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, serve

from hortus import ledger, tasks
from hortus.core.background import alongside
from hortus.core.events import Bus
from hortus.generation.batches import Finished
from hortus.generation.cancellation import POLL_SECONDS, CancellationWatcher
from hortus.generation.state import GenerationState
from hortus.generation.transitions import Outcome, end
from hortus.tasks import queue

LEASES_RUN_OUT = text("UPDATE tasks SET lease_until = created_at WHERE id = :id")


@pytest.fixture
async def idle(database_url: str, tmp_path, vendor: OpenAIEmulator) -> AsyncIterator[Hortus]:
    """A server that runs no texts: their tasks wait to be claimed by the test."""
    async with serve(database_url, tmp_path, worker_queues="mail=1") as running:
        yield running
        async with running.database.snapshot() as tx:
            assert await ledger.check_invariants(tx) == []


async def room_of(client: httpx2.AsyncClient) -> str:
    return f"/api/chatroom/{(await client.post('/api/chatroom', json={'title': 'A'})).json()['id']}"


async def send(client: httpx2.AsyncClient, room: str) -> str:
    """The generation of the reply."""
    answer = await client.post(f"{room}/message", json={"content": "How tall is it?"})
    assert answer.status_code == 202, answer.text
    return answer.json()["reply"]["generation_id"]


async def claim(hortus: Hortus) -> dict[str, tasks.ClaimedTask]:
    """Claimed tasks by generation."""
    async with hortus.database.transaction() as tx:
        claimed = await queue.claim(tx, "interactive", 50, worker="w", lease=60)
    return {task.payload["id"]: task for task in claimed}


async def messages_of(client: httpx2.AsyncClient, room: str) -> list[tuple[str, str, str]]:
    found = (await client.get(room)).json()["messages"]
    return [(each["role"], each["status"], each["content"]) for each in found]


async def credits(client: httpx2.AsyncClient) -> tuple[int, int]:
    """The available credit, and the held credit."""
    found = (await client.get("/api/user/usage")).json()["credits"]
    return int(found["available"]), int(found["held"])


def good(words: str) -> Outcome:
    return Outcome(
        "succeeded",
        text=words,
        usage={"input_tokens": 1, "output_tokens": 1, "finish": "stop"},
        attempts=(),
        provider="p",
        model="m",
        cost=5,
    )


async def finish(hortus: Hortus, finished: Sequence[Finished]) -> list[bool | BaseException]:
    ends = hortus.resources[GenerationState].batches.finish
    return await asyncio.gather(*(ends(each) for each in finished), return_exceptions=True)


async def test_each_of_a_batch_ends_in_its_own_way(idle: Hortus):
    client = await idle.customer()
    before = await credits(client)
    rooms = [await room_of(client) for _ in range(5)]
    right, failed, short, cancelled, late = generations = [await send(client, room) for room in rooms]
    prices = {each: int((await client.get(f"/api/generations/{each}")).json()["price_credits"]) for each in generations}
    held = await claim(idle)
    assert (await client.post(f"/api/generations/{cancelled}/cancel")).status_code == 200
    async with idle.database.transaction() as tx:
        await tx.execute(LEASES_RUN_OUT, {"id": held[late].id})
    newer = (await claim(idle))[late]
    outcomes = {
        right: good("Four metres."),
        failed: Outcome("failed", "unavailable"),
        short: good("4 m"),
        cancelled: good("Five."),
        late: good("Six."),
    }
    batch = [Finished(held[each], each, outcomes[each]) for each in generations]
    answers = await finish(idle, batch)
    assert answers[:4] == [True, True, True, False]
    assert isinstance(answers[4], tasks.LeaseLost)
    shown = [(await client.get(f"/api/generations/{each}")).json() for each in generations]
    assert [each["status"] for each in shown] == ["succeeded", "failed", "succeeded", "cancelled", "queued"]
    assert [each["text"] for each in shown] == ["Four metres.", None, "4 m", None, None]
    assert [await messages_of(client, room) for room in rooms] == [
        [("user", "done", "How tall is it?"), reply]
        for reply in (
            ("assistant", "done", "Four metres."),
            ("assistant", "error", ""),
            ("assistant", "done", "4 m"),
            ("assistant", "error", ""),
            ("assistant", "pending", ""),
        )
    ]
    after = await credits(client)
    charged = prices[right] + prices[short]
    assert after == (before[0] - charged - prices[late], prices[late])
    # As after a commit whose answer was lost: finishing again returns the same answer and charges nothing.
    assert await finish(idle, batch[:3]) == [True, True, True]
    assert await credits(client) == after
    assert await finish(idle, [Finished(newer, late, outcomes[late])]) == [True]
    assert (await credits(client))[1] == 0


async def test_two_replies_of_a_room_end_at_once(idle: Hortus):
    client = await idle.customer()
    room, gone = await room_of(client), await room_of(client)
    first, unread = [await send(client, each) for each in (room, gone)]
    message = (await client.get(room)).json()["messages"][0]["id"]
    edited = await client.patch(f"{room}/message/{message}", json={"content": "How wide is it?"})
    second = edited.json()["generation_id"]
    held = await claim(idle)
    assert (await client.delete(gone)).status_code == 204
    words = {first: "One.", second: "Two.", unread: "Three."}
    batch = [Finished(held[each], each, good(words[each])) for each in words]
    assert await finish(idle, batch) == [True, True, False]  # the third ended with its room
    assert await messages_of(client, room) == [
        ("user", "done", "How tall is it?"),
        ("assistant", "done", "One."),
        ("user", "done", "How wide is it?"),
        ("assistant", "done", "Two."),
    ]
    await send(client, room)
    messages = (await client.get(room)).json()["messages"]
    assert messages[4]["parent_id"] == messages[3]["id"]  # it follows the newest of the two
    async with idle.database.snapshot() as tx:
        kept = await tx.execute(text("SELECT content FROM messages WHERE generation_id = :id"), {"id": unread})
        assert kept.scalar_one() == ""


@pytest.mark.parametrize("published", [True, False])
async def test_the_process_that_runs_a_cancelled_generation_notices(idle: Hortus, published: bool):
    client = await idle.customer()
    cancelled, running = [await send(client, await room_of(client)) for _ in range(2)]
    bus = Bus()
    watcher = CancellationWatcher(idle.database, bus)
    async with alongside(watcher.watch()):
        with watcher.cancelled(cancelled) as first, watcher.cancelled(running) as second:
            await asyncio.sleep(0)
            async with idle.database.transaction() as tx:
                assert await end(tx, bus if published else Bus(), cancelled, Outcome("cancelled"))
            async with asyncio.timeout(POLL_SECONDS / 2 if published else POLL_SECONDS * 3):
                await first
            assert not second.done()
    async with idle.database.transaction() as tx:
        await end(tx, bus, running, Outcome("cancelled"))

"""News from a gateway: late, twice, forged, in any order, or never."""

import asyncio
import itertools
import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.billing.conftest import available, buy, press, quiet, rows, usage
from tests.helpers.server import Hortus, serve

from hortus import billing, ledger
from hortus.billing.webhooks.inbox import reconcile
from hortus.core import clock
from hortus.payments.sandbox.tables import SandboxEvent
from hortus.payments.sandbox.webhook_sender import HEADER, body_of, sign, signing_keys

CREDIT = 1_000_000
BONUS = 5 * CREDIT
WEBHOOK = "/api/webhook/sandbox"


@pytest.fixture
async def deaf_shop(database_url: str, tmp_path: Any):
    """A shop whose gateway cannot reach it: what arrives is what a test sends."""
    async with serve(database_url, tmp_path, port=9) as running:
        # The sweep for missed news looks once at every start; after that it sleeps longer than a test lasts.
        async with asyncio.timeout(30):
            while not await rows(running, "SELECT 1 FROM tasks WHERE name = 'billing.reconcile' AND status = 'done'"):
                await asyncio.sleep(0.05)
        yield running
        async with running.database.snapshot() as tx:
            assert await ledger.check_invariants(tx) == []


def address(hortus: Hortus, order: dict[str, Any]) -> dict[str, Any]:
    """The order with the page's address as this test reaches it."""
    return {**order, "checkout_url": hortus.url + "/sandbox" + order["checkout_url"].split("/sandbox", 1)[1]}


async def events_of(hortus: Hortus, since: int = 0) -> list[SandboxEvent]:
    """What the gateway tried to send, in order."""
    query = text("SELECT id, kind, subject_kind, subject_id, created_at FROM sandbox_events ORDER BY created_at, id")
    async with hortus.database.snapshot() as tx:
        found = (await tx.execute(query.columns(*SandboxEvent.__table__.columns))).all()
    return [SandboxEvent(**row._mapping) for row in found][since:]


async def post(client: httpx2.AsyncClient, hortus: Hortus, body: bytes, *, late: int = 0) -> httpx2.Response:
    """Send a body as the sandbox would, signed `late` seconds ago."""
    stamp = int(clock.now().timestamp()) - late
    return await client.post(WEBHOOK, content=body, headers={HEADER: sign(signing_keys(hortus.settings), body, stamp)})


async def handled(hortus: Hortus) -> None:
    """Wait until every event in the inbox was worked on."""
    async with asyncio.timeout(30):
        while await rows(hortus, "SELECT 1 FROM webhook_events WHERE status = 'pending'"):
            await asyncio.sleep(0.05)


async def test_fifty_copies_of_every_event_in_every_order_have_one_effect(deaf_shop: Hortus, full: bool):
    hortus, sender = deaf_shop, deaf_shop.anonymous()
    seen = 0
    for number, order_of_news in enumerate(itertools.permutations(range(4))):
        customer = await hortus.customer()
        order = address(hortus, await buy(customer, plan="pro"))
        await press(customer, order, "pay")
        await press(customer, order, "renew")
        await press(customer, order, "end")
        news = await events_of(hortus, seen)
        seen += len(news)
        assert [each.kind for each in news] == [
            "checkout.paid", "subscription.started", "subscription.renewed", "subscription.ended",
        ]  # fmt: skip
        # Fifty of each in the order it happened in and in its reverse, three in the others.
        copies = 50 if full or number in (0, 23) else 3
        for index in order_of_news:
            body = body_of(news[index])
            answers = await asyncio.gather(*(post(sender, hortus, body) for _ in range(copies)))
            assert {answer.status_code for answer in answers} == {200}
        await handled(hortus)
        assert len(await rows(hortus, "SELECT id FROM webhook_events")) == 4 * (number + 1)
        assert (await usage(customer))["plan"] == "basic"
        assert await available(customer) == BONUS
        history = (await customer.get("/api/payment/history")).json()["items"]
        assert [paid["status"] for paid in history] == ["paid", "paid"]


async def test_forged_stale_and_strange_deliveries_have_no_effect(deaf_shop: Hortus):
    hortus, client = deaf_shop, deaf_shop.anonymous()
    customer = await hortus.customer()
    order = address(hortus, await buy(customer, "/api/payment/topup", pack="small"))
    await press(customer, order, "pay")
    body = body_of((await events_of(hortus))[0])
    now = int(clock.now().timestamp())
    good = sign(signing_keys(hortus.settings), body, now)

    for header in (
        "", "v1=", "t=,v1=", f"t={now},v1=00", good[:-1], good.replace("t=", "t=1"), "t=²,v1=00",
        sign((b"",), body, now), sign((b"another secret",), body, now), "é" * 30, "t=1" * 2000,
    ):  # fmt: skip
        answer = await client.post(WEBHOOK, content=body, headers=[(HEADER, header.encode())])
        assert answer.status_code in (400, 413), header[:40]
    assert (await post(client, hortus, body, late=301)).json()["code"] == "bad_signature"
    assert (await post(client, hortus, body, late=-301)).json()["code"] == "bad_signature"
    for other in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id":1}',
        json.dumps({"id": "x", "subject": []}).encode(),
    ):
        assert (await post(client, hortus, other)).json()["code"] == "bad_signature", other
    tampered = body.replace(order["checkout_url"].rsplit("/", 1)[1].encode()[:12], b"sbx_co_other", 1)
    answer = await client.post(WEBHOOK, content=tampered, headers={HEADER: good})
    assert answer.json()["code"] == "bad_signature"
    assert (await post(client, hortus, b"x" * 600_000)).status_code == 413
    assert (await client.post("/api/webhook/nobody", content=body, headers={HEADER: good})).status_code == 404
    assert await rows(hortus, "SELECT id FROM webhook_events") == []
    assert await available(customer) == BONUS

    assert (await post(client, hortus, body, late=200)).status_code == 200
    await handled(hortus)
    assert await available(customer) == BONUS + 100 * CREDIT


async def test_what_was_never_sent_is_found(deaf_shop: Hortus, full: bool):
    hortus, each = deaf_shop, 10 if full else 3
    customers = [await hortus.customer() for _ in range(10)]
    for customer in customers:
        for _ in range(each):
            order = address(hortus, await buy(customer, "/api/payment/topup", pack="small"))
            await press(customer, order, "pay")
    assert {await available(customer) for customer in customers} == {BONUS}
    await reconcile(hortus.resources, None)  # type: ignore[arg-type] # a periodic task has no payload
    await handled(hortus)
    assert {await available(customer) for customer in customers} == {BONUS + each * 100 * CREDIT}
    await reconcile(hortus.resources, None)  # type: ignore[arg-type]
    assert len(await rows(hortus, "SELECT id FROM webhook_events")) == 10 * each


async def test_another_amount_grants_nothing(deaf_shop: Hortus):
    hortus, customer = deaf_shop, await deaf_shop.customer()
    order = address(hortus, await buy(customer, "/api/payment/topup", pack="large", currency="INR"))
    await press(customer, order, "pay")
    for change in ("'$.amount', 100", "'$.currency', 'USD'"):
        if hortus.database.dialect == "sqlite":
            async with hortus.database.transaction() as tx:
                await tx.execute(
                    text(f"UPDATE sandbox_objects SET body = json_set(body, {change}) WHERE kind = 'payment'")
                )
    if hortus.database.dialect == "postgresql":
        async with hortus.database.transaction() as tx:
            await tx.execute(
                text(
                    "UPDATE sandbox_objects SET body = jsonb_set(body::jsonb, '{amount}', '100')::json "
                    "WHERE kind = 'payment'"
                )
            )
    await reconcile(hortus.resources, None)  # type: ignore[arg-type]
    await handled(hortus)
    assert await rows(hortus, "SELECT kind, credits FROM payments") == [("unmatched", 0)]
    assert await available(customer) == BONUS


async def test_an_old_answer_never_overwrites_a_newer_one(hortus: Hortus):
    """Refreshes of one subscription race while it changes; what stays is what the gateway says at the end."""
    customer = await hortus.customer()
    order = await buy(customer)
    await press(customer, order, "pay")
    await quiet(hortus)
    for _ in range(5):
        await asyncio.gather(
            customer.post("/api/payment/subscription/cancel"),
            customer.post("/api/payment/subscription/resume"),
            customer.post("/api/payment/subscription/cancel"),
            press(customer, order, "renew"),
        )
    await quiet(hortus)
    said = await rows(hortus, "SELECT body FROM sandbox_objects WHERE kind = 'subscription'")
    body = json.loads(said[0][0]) if isinstance(said[0][0], str) else said[0][0]
    kept = (await customer.get("/api/payment/subscription/details")).json()["subscription"]
    if body["status"] == "ended":
        assert kept is None
    else:
        assert kept["cancels_at_period_end"] == body["cancels"]
        assert kept["period_end"] == body["period_end"]


async def test_an_operator_replays_an_event(hortus: Hortus):
    customer = await hortus.customer()
    order = await buy(customer, "/api/payment/topup", pack="small")
    await press(customer, order, "pay")
    await quiet(hortus)
    (event_id,) = (await rows(hortus, "SELECT id FROM webhook_events"))[0]
    for _ in range(3):
        async with hortus.database.transaction() as tx:
            await billing.replay(tx, event_id)
        await quiet(hortus)
    assert await available(customer) == BONUS + 100 * CREDIT

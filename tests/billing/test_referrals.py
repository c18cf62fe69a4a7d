"""Customers who bring customers: both are rewarded once, after money came, and not if it goes back."""

import asyncio

import httpx2
import pytest
from tests.billing.conftest import available, buy, press, quiet, rows
from tests.billing.test_auto_topup import CREDIT, user_of
from tests.helpers.server import PASSWORD, Hortus

from hortus.billing.referrals import service

PATH = "/api/payment/referral"
BONUS, REWARD, SMALL = 5 * CREDIT, 20 * CREDIT, 100 * CREDIT


async def code_of(client: httpx2.AsyncClient) -> str:
    answer = await client.get(PATH)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["code"])


async def settled(hortus: Hortus) -> None:
    """Wait until money and what follows from it was worked on."""
    await quiet(hortus)
    waiting = "SELECT count(*) FROM tasks WHERE name LIKE 'billing.referral%' AND status IN ('queued', 'running')"
    async with asyncio.timeout(20):
        while await rows(hortus, waiting) != [(0,)]:
            await asyncio.sleep(0.05)


async def pay(hortus: Hortus, client: httpx2.AsyncClient) -> dict[str, object]:
    order = await buy(client, "/api/payment/topup", pack="small", currency="INR")
    await press(client, order, "pay")
    await settled(hortus)
    return order


async def test_both_are_rewarded_after_the_first_payment_and_once(hortus: Hortus):
    asha = await hortus.customer()
    code = await code_of(asha)
    assert await code_of(asha) == code
    assert (await asha.get(PATH)).json()["link"].endswith(f"/signup?referral={code}")
    newcomer = hortus.anonymous()
    body = {"email": "new@example.com", "password": PASSWORD, "accept_terms": True, "referral": code.lower()}
    tokens = (await newcomer.post("/api/auth/register", json=body)).json()
    newcomer.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    assert await available(newcomer) == BONUS
    order = await pay(hortus, newcomer)
    assert await available(newcomer) == BONUS + SMALL + REWARD
    assert await available(asha) == BONUS + REWARD
    assert (await asha.get(PATH)).json()["rewarded"] == 1
    await pay(hortus, newcomer)
    assert await available(asha) == BONUS + REWARD
    await press(newcomer, order, "refund")
    await settled(hortus)
    assert await available(asha) == BONUS
    assert await available(newcomer) == BONUS + SMALL
    assert await rows(hortus, "SELECT status FROM referrals") == [("clawed_back",)]


async def test_nobody_brings_themselves_or_is_brought_twice_or_late(hortus: Hortus):
    asha, ravi, mina = [await hortus.customer() for _ in range(3)]
    codes = [await code_of(each) for each in (asha, ravi, mina)]
    assert (await asha.post(PATH, json={"code": codes[0]})).json()["code"] == "referral_not_possible"
    assert (await asha.post(PATH, json={"code": "NOBODY"})).json()["code"] == "referral_not_found"
    answers = await asyncio.gather(*(asha.post(PATH, json={"code": codes[1 + n % 2]}) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert len(await rows(hortus, "SELECT user_id FROM referrals")) == 1
    by = ravi if await rows(hortus, f"SELECT 1 FROM referrals WHERE referrer_id = '{user_of(ravi)}'") else mina
    assert (await by.post(PATH, json={"code": codes[0]})).json()["code"] == "referral_not_possible"  # each other
    other = mina if by is ravi else ravi
    await pay(hortus, other)
    assert (await other.post(PATH, json={"code": codes[0]})).json()["code"] == "referral_not_possible"


async def test_a_wrong_code_at_sign_up_keeps_nobody_out(hortus: Hortus):
    body = {"email": "new@example.com", "password": PASSWORD, "accept_terms": True, "referral": "NO-SUCH"}
    assert (await hortus.anonymous().post("/api/auth/register", json=body)).status_code == 201
    assert await rows(hortus, "SELECT user_id FROM referrals") == []


async def test_many_rewards_for_one_payment_are_one(hortus: Hortus):
    asha, newcomer = await hortus.customer(), await hortus.customer()
    assert (await newcomer.post(PATH, json={"code": await code_of(asha)})).status_code == 200
    await pay(hortus, newcomer)
    ((payment_id,),) = await rows(hortus, "SELECT id FROM payments")

    async def again() -> bool:
        async with hortus.database.transaction() as tx:
            return await service.reward(tx, payment_id)

    assert not any(await asyncio.gather(*(again() for _ in range(8))))

    async def back() -> bool:
        async with hortus.database.transaction() as tx:
            return await service.claw_back(tx, payment_id)

    assert not any(await asyncio.gather(*(back() for _ in range(8))))  # it was not refunded
    assert await available(asha) == BONUS + REWARD


async def test_a_lost_dispute_takes_back_and_a_late_refund_does_not(hortus: Hortus, monkeypatch: pytest.MonkeyPatch):
    asha, one, two = [await hortus.customer() for _ in range(3)]
    code = await code_of(asha)
    for each in (one, two):
        assert (await each.post(PATH, json={"code": code})).status_code == 200
    order, late = await pay(hortus, one), await pay(hortus, two)
    assert await available(asha) == BONUS + 2 * REWARD
    await press(one, order, "chargeback")
    await settled(hortus)
    assert await available(asha) == BONUS + 2 * REWARD
    await press(one, order, "lose-dispute")
    await settled(hortus)
    assert await available(asha) == BONUS + REWARD
    monkeypatch.setenv("REFERRAL_CLAWBACK_DAYS", "0")
    hortus.reread()
    await press(two, late, "refund")
    await settled(hortus)
    assert await available(asha) == BONUS + REWARD

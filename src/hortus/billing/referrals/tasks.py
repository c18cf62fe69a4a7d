"""Tasks of referrals: the reward after a first payment, and its clawback."""

from hortus import tasks
from hortus.billing.referrals import service
from hortus.billing.referrals.errors import ReferralNotFound, ReferralNotPossible
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources


async def on_sign_up(tx: Tx, named: tuple[str, str]) -> None:
    """Note the referral code of a new user, given as (user id, code). A wrong code does not stop the sign-up."""
    user_id, code = named
    try:
        await service.set_referrer(tx, user_id, code)
    except (ReferralNotFound, ReferralNotPossible):
        return


async def on_payment_received(tx: Tx, payment_id: str) -> None:
    """Enqueue the reward of a first payment: its transaction locks two customers."""
    if await service.is_reward_pending(tx, payment_id):
        await tasks.enqueue(tx, REWARD, {"payment_id": payment_id}, key=f"referral:{payment_id}")


async def on_payment_reversed(tx: Tx, payment_id: str) -> None:
    """Enqueue the check whether a refund or lost dispute claws the reward back."""
    await tasks.enqueue(tx, CLAW_BACK, {"payment_id": payment_id})


async def _reward(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources[Database].transaction() as tx:
        await service.reward(tx, task.payload["payment_id"])


async def _claw_back(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources[Database].transaction() as tx:
        await service.claw_back(tx, task.payload["payment_id"])


REWARD = tasks.register("billing.referral", _reward, attempts=12)
CLAW_BACK = tasks.register("billing.referral_back", _claw_back, attempts=12)

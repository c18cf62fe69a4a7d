"""What sign-ups, payments and refunds mean for referrals."""

from sqlalchemy import select

from hortus import tasks
from hortus.billing.referrals import service
from hortus.billing.referrals.errors import ReferralNotFound, ReferralNotPossible
from hortus.billing.tables import Dispute, Refund
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources


async def hear_sign_up(tx: Tx, said: tuple[str, str]) -> None:
    """Somebody new names a code; a wrong one is no reason to send them away."""
    user_id, code = said
    try:
        await service.name(tx, user_id, code)
    except (ReferralNotFound, ReferralNotPossible):
        return


async def hear_payment(tx: Tx, payment_id: str) -> None:
    """Money arrived: the reward follows in a transaction of its own, which locks two customers."""
    if await service.waits(tx, payment_id):
        await tasks.enqueue(tx, REWARD, {"payment_id": payment_id}, key=f"referral:{payment_id}")


async def hear_refund(tx: Tx, refund_id: str) -> None:
    """Money went back."""
    payment_id = (await tx.execute(select(Refund.payment_id).where(Refund.id == refund_id))).scalar_one()
    await _look(tx, payment_id)


async def hear_lost(tx: Tx, dispute_id: str) -> None:
    """A dispute was lost."""
    payment_id = (await tx.execute(select(Dispute.payment_id).where(Dispute.id == dispute_id))).scalar_one()
    await _look(tx, payment_id)


async def _look(tx: Tx, payment_id: str) -> None:
    await tasks.enqueue(tx, TAKE_BACK, {"payment_id": payment_id})


async def _reward(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources.get(Database).transaction() as tx:
        await service.reward(tx, task.payload["payment_id"])


async def _take_back(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources.get(Database).transaction() as tx:
        await service.take_back(tx, task.payload["payment_id"])


REWARD = tasks.register("billing.referral", _reward, attempts=12)
TAKE_BACK = tasks.register("billing.referral_back", _take_back, attempts=12)

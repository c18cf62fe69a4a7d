"""Refunds and disputes claw back the credits that their payment granted; a dispute that is won restores them."""

from typing import Any

import structlog
from sqlalchemy import func, select, update

from hortus import ledger
from hortus.billing import referrals
from hortus.billing.grants import credit_ends, priority_of, references_of
from hortus.billing.payments.documents import request_dispute_note, request_refund_note
from hortus.billing.signals import payment_reversed
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core import ids
from hortus.core.db import Tx
from hortus.payments import Disputed, Refunded

log = structlog.get_logger()


async def refunded(tx: Tx, gateway: str, event: Refunded) -> None:
    """Book a refund, once."""
    payment = await _payment(tx, gateway, event.payment)
    if payment is None:
        return
    row = {
        "id": ids.new(),
        "payment_id": payment.id,
        "gateway": gateway,
        "external_id": event.external_id,
        "amount_minor": event.amount_minor,
        "refunded_at": event.refunded_at,
    }
    if not await _insert(tx, Refund, row):
        return
    await balance(tx, payment.id, cause=f"refund:{row['id']}")
    await request_refund_note(tx, str(row["id"]))
    await referrals.on_payment_reversed(tx, payment.id)
    await payment_reversed.send(tx, str(row["id"]))


async def disputed(tx: Tx, gateway: str, event: Disputed) -> None:
    """Book a dispute: open and lost claw the credits back, won restores them. Won and lost are final."""
    payment = await _payment(tx, gateway, event.payment)
    if payment is None:
        return
    row = {
        "id": ids.new(),
        "payment_id": payment.id,
        "gateway": gateway,
        "external_id": event.external_id,
        "amount_minor": event.amount_minor,
        "status": event.status,
        "opened_at": event.opened_at,
    }
    if not await _insert(tx, Dispute, row):
        if event.status == "open":
            return
        decided = await tx.execute(
            update(Dispute)
            .where(Dispute.gateway == gateway, Dispute.external_id == event.external_id, Dispute.status == "open")
            .values(status=event.status)
            .returning(Dispute.id)
        )
        found = decided.scalar_one_or_none()
        if found is None:
            return
        row["id"] = found
    await balance(tx, payment.id, cause=f"dispute:{row['id']}:{event.status}")
    if event.status == "lost":
        await request_dispute_note(tx, str(row["id"]))
        await referrals.on_payment_reversed(tx, payment.id)


async def balance(tx: Tx, payment_id: str, *, cause: str) -> None:
    """Claw back or restore credits according to the refunds and disputes of a payment, once per `cause`."""
    payment = (
        await tx.execute(
            select(Payment).where(Payment.id == payment_id).with_for_update().execution_options(populate_existing=True)
        )
    ).scalar_one()
    back = await _sum(tx, select(func.sum(Refund.amount_minor)).where(Refund.payment_id == payment_id))
    taken = await _sum(
        tx,
        select(func.sum(Dispute.amount_minor)).where(Dispute.payment_id == payment_id, Dispute.status != "won"),
    )
    gone = min(back + taken, payment.amount_minor)
    wanted = payment.credits * gone // payment.amount_minor if payment.amount_minor else payment.credits
    more = wanted - payment.clawback_due
    clawed, restored = payment.clawback_taken, payment.restore_count
    if more > 0:
        clawed += await _claw(tx, payment, more, cause)
    elif more < 0:
        given = min(-more, clawed)
        if given:
            restored += 1
            await _restore(tx, payment, given, restored)
            clawed -= given
    await tx.execute(
        update(Payment)
        .where(Payment.id == payment_id)
        .values(
            refunded_minor=back,
            disputed_minor=taken,
            clawback_due=wanted,
            clawback_taken=clawed,
            restore_count=restored,
        )
    )


async def _claw(tx: Tx, payment: Payment, amount: int, cause: str) -> int:
    taken = 0
    # Restored credits are grants of their own and may be clawed back again.
    for number, grant in enumerate(references_of(payment.id, payment.restore_count)):
        if taken < amount:
            taken += await ledger.claw_back(
                tx, grant_reference=grant, reference=f"{cause}:{number}", amount=amount - taken
            )
    return taken


async def _restore(tx: Tx, payment: Payment, amount: int, number: int) -> None:
    await ledger.grant(
        tx,
        payment.owner,
        amount,
        reference=references_of(payment.id, number)[-1],
        reason="Dispute won",
        priority=priority_of(payment),
        expires_at=credit_ends(tx, payment),
    )


async def _payment(tx: Tx, gateway: str, external_id: str) -> Payment | None:
    query = select(Payment).where(Payment.gateway == gateway, Payment.external_id == external_id).with_for_update()
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        log.warning("reversal_without_payment", gateway=gateway)
    return found


async def _insert(tx: Tx, table: Any, row: dict[str, object]) -> bool:
    made = await tx.execute(
        tx.insert(table)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["gateway", "external_id"])
        .returning(table.id)
    )
    return made.first() is not None


async def _sum(tx: Tx, query: Any) -> int:
    return int((await tx.execute(query)).scalar_one() or 0)

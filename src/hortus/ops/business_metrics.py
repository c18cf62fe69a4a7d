"""Counters of sign-ups, ended generations and payments, incremented after the commit of each."""

from collections.abc import Sequence

from hortus import accounts, billing, generation
from hortus.core.db import Tx
from hortus.core.telemetry import metrics


async def _signed_up(tx: Tx, _user_id: str) -> None:
    tx.after_commit(metrics.SIGN_UPS.inc)


async def _ended(tx: Tx, endings: Sequence[generation.Ended]) -> None:
    for each in endings:
        tx.after_commit(metrics.GENERATIONS.labels(each.kind, each.status).inc)


async def _received(tx: Tx, _id: str) -> None:
    tx.after_commit(metrics.PAYMENTS.labels("received").inc)


async def _failed(tx: Tx, _id: str) -> None:
    tx.after_commit(metrics.PAYMENTS.labels("failed").inc)


async def _reversed(tx: Tx, _id: str) -> None:
    tx.after_commit(metrics.PAYMENTS.labels("reversed").inc)


def connect() -> None:
    """Connect the counters to the signals; idempotent."""
    accounts.user_registered.connect(_signed_up)
    generation.ended.connect(_ended)
    billing.payment_received.connect(_received)
    billing.payment_failed.connect(_failed)
    billing.payment_reversed.connect(_reversed)

"""Signals between packages: which package reacts to what happens in another one below it."""

from hortus import accounts, admin, auth, ledger, privacy
from hortus.billing import tasks as billing_tasks
from hortus.core.db import Tx
from hortus.ops import business_metrics


def connect_signals() -> None:
    """Connect every handler; repeating it changes nothing."""
    accounts.staff_created.connect(_audit_staff)
    accounts.signup_bonus_due.connect(_grant_signup_bonus)
    auth.role_granted_by_issuer.connect(_audit_role)
    accounts.consent_changed.connect(privacy.record_consent)
    accounts.account_reopened.connect(privacy.cancel_deletion)
    business_metrics.connect()
    billing_tasks.connect_signals()


async def _grant_signup_bonus(tx: Tx, user_id: str) -> None:
    await ledger.grant_signup_bonus(tx, user_id)


async def _audit_role(tx: Tx, grant: auth.RoleGrant) -> None:
    """The operator has configured that a claim of the issuer decides the role."""
    details = {"role": grant.role, "issuer": grant.issuer}
    await admin.record(tx, admin.Actor(None, "issuer"), "user.role_by_issuer", ("user", grant.user_id), details)


async def _audit_staff(tx: Tx, created: tuple[str, str]) -> None:
    """With the setup token or on the command line, where no administrator is signed in."""
    await admin.record(tx, admin.CONSOLE, "user.made_staff", ("user", created[0]), {"role": created[1]})

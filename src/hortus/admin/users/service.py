"""Details of one user, from accounts and quotas."""

from dataclasses import asdict

from hortus import accounts, auth, quotas
from hortus.admin.users.schemas import AdminIdentifierOut, AdminUserDetailsOut
from hortus.core.clock import iso
from hortus.core.db import Tx
from hortus.core.settings import Settings


async def get_details(tx: Tx, settings: Settings, user_id: str) -> AdminUserDetailsOut:
    """The details of a user, without balances. Raises UserNotFound."""
    found = await accounts.get_user(tx, user_id)
    used = await quotas.usage(tx, user_id, zone=settings.zone)
    return AdminUserDetailsOut(
        **asdict(found.person),
        identifiers=[AdminIdentifierOut(**asdict(each)) for each in found.identifiers],
        has_password=found.has_password,
        passkeys=await auth.passkey_count(tx, user_id),
        live_sessions=found.live_sessions,
        marketing_consent=found.marketing_consent,
        updated_at=found.updated_at,
        plan=used.plan,
        windows=[{**asdict(each), "resets_at": iso(each.resets_at)} for each in used.windows],
    )

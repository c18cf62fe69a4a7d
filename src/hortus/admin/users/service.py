"""One user, gathered from the features that know something of them."""

from dataclasses import asdict

from hortus import accounts, auth, quotas
from hortus.admin.users.schemas import PersonDetailsOut, ReachedOut
from hortus.core.clock import iso
from hortus.core.db import Tx
from hortus.core.settings import Settings


async def look_at(tx: Tx, settings: Settings, user_id: str) -> PersonDetailsOut:
    """The details of a user, without money; raises UserNotFound."""
    found = await accounts.person_details(tx, user_id)
    used = await quotas.usage(tx, user_id, zone=settings.zone)
    return PersonDetailsOut(
        **asdict(found.person),
        identifiers=[ReachedOut(**asdict(each)) for each in found.identifiers],
        has_password=found.has_password,
        passkeys=await auth.passkey_count(tx, user_id),
        live_sessions=found.live_sessions,
        marketing_consent=found.marketing_consent,
        updated_at=found.updated_at,
        plan=used.plan,
        windows=[{**asdict(each), "resets_at": iso(each.resets_at)} for each in used.windows],
    )

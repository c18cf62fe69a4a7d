"""In how many ways a user can still sign in: nobody may remove the last one."""

from dataclasses import dataclass

from sqlalchemy import func, select

from hortus.accounts import Identifier, User
from hortus.auth.errors import LastCredential
from hortus.auth.oidc_settings import ConfiguredIssuers
from hortus.auth.tables import ExternalAccount, Passkey
from hortus.core.db import Tx


@dataclass(frozen=True, slots=True)
class CredentialCounts:
    """What would let a user sign in now, counted by kind."""

    password: int
    codes: int
    passkeys: int
    external: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.password + self.codes + self.passkeys + self.external


async def count_credentials(tx: Tx, user_id: str) -> CredentialCounts:
    """Count the ways in of a user: a password with something to name them by, a code to each verified
    identifier, each passkey, each account at an issuer that is configured now.

    Locks the user until the end of the transaction, so that two removals never both see the other's way.
    """
    locked = select(User.password_hash).where(User.id == user_id).with_for_update()
    password_hash = (await tx.execute(locked)).scalar_one()
    identifiers = select(func.count(), func.count(Identifier.verified_at)).where(Identifier.user_id == user_id)
    known, verified = (await tx.execute(identifiers)).one()
    passkeys = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)
    external = (
        select(func.count())
        .select_from(ExternalAccount)
        .where(ExternalAccount.user_id == user_id, ExternalAccount.issuer.in_(tx.settings(ConfiguredIssuers).spellings))
    )
    return CredentialCounts(
        password=int(password_hash is not None and known > 0),
        codes=verified,
        passkeys=(await tx.execute(passkeys)).scalar_one(),
        external=(await tx.execute(external)).scalar_one(),
    )


async def require_remaining_credential(tx: Tx, user_id: str) -> None:
    """Say this after removing a way in, in the same transaction: raises LastCredential when none is left."""
    if (await count_credentials(tx, user_id)).total == 0:
        raise LastCredential

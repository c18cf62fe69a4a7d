"""Credentials of a user: how many would let them sign in. The last one cannot be removed."""

from dataclasses import dataclass

from sqlalchemy import func, select

from hortus.accounts import Identifier, User
from hortus.auth.errors import LastCredential
from hortus.auth.oidc_settings import ConfiguredIssuers
from hortus.auth.tables import ExternalAccount, Passkey
from hortus.core.db import Tx


@dataclass(frozen=True, slots=True)
class CredentialCounts:
    """The credentials with which a user can sign in now, by kind."""

    password: int
    codes: int
    passkeys: int
    external: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.password + self.codes + self.passkeys + self.external


async def count_credentials(tx: Tx, user_id: str) -> CredentialCounts:
    """Count the credentials of a user: a password together with an identifier, an OTP for each verified identifier,
    each passkey, and each external account of a configured issuer.

    Locks the user until the end of the transaction, so that concurrent removals cannot remove the last two.
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
    """Call it after removing a credential, in the same transaction. Raises LastCredential if none is left."""
    if (await count_credentials(tx, user_id)).total == 0:
        raise LastCredential

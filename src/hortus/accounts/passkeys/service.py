"""Register passkeys, sign in with them, name them, take them away."""

from sqlalchemy import select

from hortus.accounts.passkeys.tables import Passkey
from hortus.core.db import Tx


async def has_passkey(tx: Tx, user_id: str) -> bool:
    """Whether the user has at least one passkey."""
    query = select(Passkey.id).where(Passkey.user_id == user_id).limit(1)
    return (await tx.execute(query)).first() is not None

"""The last credential cannot be removed, also by concurrent removals."""

import asyncio

import pytest
from sqlalchemy import delete, update

from hortus import accounts, auth
from hortus.accounts.tables import Identifier, User
from hortus.auth.errors import LastCredential
from hortus.auth.tables import Passkey
from hortus.core import clock, ids
from hortus.core.db import Database, Tx


async def newcomer(tx: Tx) -> str:
    return await accounts.register(tx, email=f"{ids.new()}@example.com", password_hash="x", name=None)


async def add_passkey(tx: Tx, user_id: str) -> str:
    passkey_id = ids.new()
    tx.add(
        Passkey(
            id=passkey_id, user_id=user_id, credential_id=ids.new(), public_key=b"key", sign_count=0, name="Key",
            backed_up=False, created_at=clock.now(),
        )
    )  # fmt: skip
    await tx.flush()
    return passkey_id


async def test_each_way_counts(database: Database):
    async with database.transaction() as tx:
        user_id = await newcomer(tx)
        assert await auth.count_credentials(tx, user_id) == auth.CredentialCounts(password=1, codes=0, passkeys=0)
        await tx.execute(update(Identifier).where(Identifier.user_id == user_id).values(verified_at=clock.now()))
        await add_passkey(tx, user_id)
        assert (await auth.count_credentials(tx, user_id)).total == 3
        await tx.execute(delete(Identifier).where(Identifier.user_id == user_id))
        assert await auth.count_credentials(tx, user_id) == auth.CredentialCounts(password=0, codes=0, passkeys=1)


async def test_parallel_removals_leave_one_way(database: Database):
    async with database.transaction() as tx:
        user_id = await newcomer(tx)
        await tx.execute(update(User).where(User.id == user_id).values(password_hash=None))
        passkeys = [await add_passkey(tx, user_id) for _ in range(8)]

    async def remove(passkey_id: str) -> bool:
        try:
            async with database.transaction() as tx:
                await tx.execute(delete(Passkey).where(Passkey.id == passkey_id))
                await auth.require_remaining_credential(tx, user_id)
        except LastCredential:
            return False
        return True

    assert sorted(await asyncio.gather(*(remove(each) for each in passkeys))) == [False] + [True] * 7
    with pytest.raises(LastCredential):
        async with database.transaction() as tx:
            await tx.execute(delete(Passkey).where(Passkey.user_id == user_id))
            await auth.require_remaining_credential(tx, user_id)

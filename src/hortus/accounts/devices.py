"""Devices on which users have signed in."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, delete, func, insert, or_, select, tuple_, update

from hortus.accounts.tables import Device, User
from hortus.core import clock, ids
from hortus.core.db import Tx

KEPT = timedelta(days=180)
"""A device that was not used for so long counts as unknown."""
MAX_NOTICES_PER_DAY = 10


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """Whether the device and the network of a login attempt belong to the user."""

    device_id: str | None
    """The device, if this user has signed in on it before."""
    network: bool
    """Whether one of this user's devices last signed in from this network."""


@dataclass(frozen=True, slots=True)
class DeviceMatch:
    """The device of a completed sign-in."""

    device_id: str
    surprising: bool
    """Whether to notify the owner: neither this device nor a similar one in this network has signed in before."""


async def match_device(tx: Tx, user_id: str, device_id: str | None, network: str) -> KnownDevice:
    """Whether the user has signed in on this device and from this network. An unknown user id matches nothing."""
    query = select(Device.id, Device.network).where(
        Device.user_id == user_id, or_(Device.id == (device_id or ""), Device.network == network)
    )
    rows = (await tx.execute(query)).all()
    return KnownDevice(
        device_id=device_id if any(row.id == device_id for row in rows) else None,
        network=any(row.network == network for row in rows),
    )


async def remember_device(tx: Tx, user_id: str, *, device_id: str | None, name: str, network: str) -> DeviceMatch:
    """Record a sign-in. Without a cookie, a device with the same name in the same network is the same device."""
    await tx.execute(select(User.id).where(User.id == user_id).with_for_update())  # serialises sign-ins of one user
    now, mine = clock.now(), Device.user_id == user_id
    alike = and_(Device.name == name, Device.network == network)
    query = select(Device.id, alike.label("alike")).where(mine, or_(Device.id == (device_id or ""), alike))
    found = {row.id: row.alike for row in (await tx.execute(query.order_by(Device.id))).all()}
    same = device_id if device_id in found else next(iter(found), None) if device_id is None else None
    if same is not None:
        seen = update(Device).where(mine, Device.id == same).values(name=name, network=network, last_seen_at=now)
        await tx.execute(seen)
        return DeviceMatch(same, surprising=False)
    recent = func.count().filter(Device.first_seen_at > now - timedelta(days=1))
    known, new_today = (await tx.execute(select(func.count(), recent).where(mine))).one()
    fresh = {"user_id": user_id, "id": device_id or ids.new(), "name": name, "network": network}
    await tx.execute(insert(Device), {**fresh, "first_seen_at": now, "last_seen_at": now})
    return DeviceMatch(fresh["id"], surprising=known > 0 and not found and new_today < MAX_NOTICES_PER_DAY)


async def sweep_devices(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` devices that were not used for long; how many."""
    old = (
        select(Device.user_id, Device.id)
        .where(Device.last_seen_at < clock.now() - KEPT)
        .order_by(Device.last_seen_at)
        .limit(limit)
    )
    gone = await tx.execute(
        delete(Device).where(tuple_(Device.user_id, Device.id).in_(old)).returning(Device.id),
    )
    return len(gone.all())

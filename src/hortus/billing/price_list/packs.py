"""Packs of credits: versions, publication, end of sale."""

import hashlib
import json
from dataclasses import asdict, dataclass

from sqlalchemy import and_, func, select

from hortus.billing.errors import NotForSale
from hortus.billing.tables import CreditPack
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.money import MICRO


@dataclass(frozen=True, slots=True)
class PackTerms:
    """Terms of a pack. `credits` are micro-credits, `prices` minor units by currency."""

    name: str
    title: str
    credits: int
    prices: dict[str, int]

    def digest(self) -> str:
        """A hash of the terms."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a pack."""

    id: str
    version: int
    terms: PackTerms


DEFAULT_PACKS = (
    PackTerms("small", "100 credits", 100 * MICRO, {"INR": 99_00, "USD": 1_99}),
    PackTerms("medium", "500 credits", 500 * MICRO, {"INR": 449_00, "USD": 7_99}),
    PackTerms("large", "2000 credits", 2000 * MICRO, {"INR": 1599_00, "USD": 24_99}),
)


async def ensure_packs(tx: Tx) -> None:
    """Create the default packs, or a new version of one whose defaults changed. Idempotent; runs at every start."""
    for terms in DEFAULT_PACKS:
        rows = select(CreditPack.version, CreditPack.defaults).where(CreditPack.name == terms.name)
        seen = (await tx.execute(rows.order_by(CreditPack.version.desc()))).all()
        digest = next((row.defaults for row in seen if row.defaults is not None), None)
        if digest != terms.digest():
            await _insert_pack(tx, terms, seen[0].version + 1 if seen else 1, terms.digest(), active=True)


async def publish_pack(tx: Tx, terms: PackTerms, *, active: bool = True) -> Pack:
    """Publish the terms as the newest version of their pack; an inactive version ends its sale."""
    newest = select(func.coalesce(func.max(CreditPack.version), 0)).where(CreditPack.name == terms.name)
    while True:
        version = (await tx.execute(newest)).scalar_one() + 1
        made = await _insert_pack(tx, terms, version, None, active=active)
        if made is not None:  # None: another process published concurrently
            return made


async def _insert_pack(tx: Tx, terms: PackTerms, version: int, defaults: str | None, *, active: bool) -> Pack | None:
    pack = Pack(ids.new(), version, terms)
    values = {"id": pack.id, "version": version, "active": active, "defaults": defaults, "created_at": clock.now()}
    made = await tx.execute(
        tx.insert(CreditPack)
        .values(**asdict(terms), **values)
        .on_conflict_do_nothing(index_elements=["name", "version"])
        .returning(CreditPack.id)
    )
    return pack if made.first() is not None else None


async def offered_packs(tx: Tx) -> list[Pack]:
    """The newest version of each pack on sale, smallest first."""
    newest = select(CreditPack.name, func.max(CreditPack.version).label("version")).group_by(CreditPack.name).subquery()
    query = (
        select(CreditPack)
        .join(newest, and_(CreditPack.name == newest.c.name, CreditPack.version == newest.c.version))
        .where(CreditPack.active)
        .order_by(CreditPack.credits)
    )
    return [
        Pack(row.id, row.version, PackTerms(row.name, row.title, row.credits, row.prices))
        for row in (await tx.execute(query)).scalars()
    ]


async def pack_versions(tx: Tx, name: str | None = None) -> list[CreditPack]:
    """Every version of every pack, or of one, by name, newest first; at most 500."""
    query = select(CreditPack).order_by(CreditPack.name, CreditPack.version.desc()).limit(500)
    if name is not None:
        query = query.where(CreditPack.name == name)
    return list((await tx.execute(query)).scalars())


async def end_pack_sale(tx: Tx, name: str) -> Pack:
    """End the sale of a pack. Raises NotForSale."""
    return await publish_pack(tx, (await pack_named(tx, name)).terms, active=False)


async def pack_named(tx: Tx, name: str) -> Pack:
    """The pack on sale with that name. Raises NotForSale."""
    for pack in await offered_packs(tx):
        if pack.terms.name == name:
            return pack
    raise NotForSale

"""Series of document numbers: consecutive, without a gap."""

from hortus.core.db import Tx
from hortus.invoicing.tables import InvoiceSeries


async def next_in(tx: Tx, series: str) -> int:
    """The next number of a series: one statement, which commits or rolls back with the document that uses it."""
    first = tx.insert(InvoiceSeries).values(series=series, last=1)
    taken = first.on_conflict_do_update(index_elements=["series"], set_={"last": InvoiceSeries.last + 1})
    return int((await tx.execute(taken.returning(InvoiceSeries.last))).scalar_one())

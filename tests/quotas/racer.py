"""A process that takes as fast as it can: `racer.py URL USER TRIES`; prints how many got through."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch


async def work(tx: Tx, takes: Sequence[quotas.QuotaUse]) -> Sequence[Exception | None]:
    return await quotas.consume_many(tx, takes, zone=UTC)


async def main(url: str, user_id: str, tries: int) -> None:
    database = Database(url)
    take = Batch(database, work, max_items=8)
    await asyncio.to_thread(sys.stdin.readline)  # all racers start together
    takes = [quotas.QuotaUse(ids.new(), user_id, "image") for _ in range(tries)]
    answers = await asyncio.gather(*(take(each) for each in takes), return_exceptions=True)
    strange = [answer for answer in answers if not isinstance(answer, quotas.QuotaExceeded | None)]
    assert not strange, strange
    await database.close()
    sys.stdout.write(str(sum(answer is None for answer in answers)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

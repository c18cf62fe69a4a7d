"""A process that consumes quota as fast as it can: `racer.py URL USER TRIES`; prints how many succeeded."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch


async def work(tx: Tx, uses: Sequence[quotas.QuotaUse]) -> Sequence[Exception | None]:
    return await quotas.consume_many(tx, uses, zone=UTC)


async def main(url: str, user_id: str, tries: int) -> None:
    database = Database(url)
    consume = Batch(database, work, max_items=8)
    await asyncio.to_thread(sys.stdin.readline)  # all racers start together
    uses = [quotas.QuotaUse(ids.new(), user_id, "image") for _ in range(tries)]
    answers = await asyncio.gather(*(consume(each) for each in uses), return_exceptions=True)
    strange = [answer for answer in answers if not isinstance(answer, quotas.QuotaExceeded | None)]
    assert not strange, strange
    await database.close()
    sys.stdout.write(str(sum(answer is None for answer in answers)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

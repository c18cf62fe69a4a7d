"""A process that reserves as fast as it can: `racer.py URL USER TRIES`; prints how many succeeded."""

import asyncio
import sys
from datetime import timedelta

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.db.batch import Batch


async def main(url: str, user_id: str, tries: int) -> None:
    database = Database(url)
    reserve = Batch(database, ledger.reserve_many, max_items=8)
    await asyncio.to_thread(sys.stdin.readline)  # all racers start together
    holds = [ledger.Hold(user_id, 1, ids.new(), timedelta(minutes=5)) for _ in range(tries)]
    answers = await asyncio.gather(*(reserve(hold) for hold in holds), return_exceptions=True)
    strange = [answer for answer in answers if not isinstance(answer, ledger.InsufficientCredits | None)]
    assert not strange, strange
    await database.close()
    sys.stdout.write(str(sum(answer is None for answer in answers)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

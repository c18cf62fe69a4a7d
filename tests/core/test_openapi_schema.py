"""The schema costs seconds of CPU to make: nobody else waits for it, and it is made once."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.helpers.server import serve

PATH = "/openapi.json"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_others_are_answered_while_the_schema_is_made(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path) as hortus:
        first, second, other = (hortus.anonymous() for _ in range(3))
        assert (await other.get("/health/live")).status_code == 200
        making = [asyncio.create_task(client.get(PATH)) for client in (first, second)]
        answered = 0
        while not all(each.done() for each in making):
            assert (await other.get("/health/live")).status_code == 200
            answered += 1
        texts = {each.result().content for each in making}
    assert answered > 3, "the schema was made on the event loop"
    assert len(texts) == 1
    assert json.loads(texts.pop())["openapi"].startswith("3.")

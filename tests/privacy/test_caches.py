"""Redis keeps no personal data of an erased account."""

import shutil
from pathlib import Path

from redis.asyncio import Redis
from tests.auth.passkeys.authenticator import ORIGIN
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import serve
from tests.privacy.conftest import idle, leave, live

from hortus.core import ids


async def test_redis_keeps_no_personal_data(sqlite_template, tmp_path: Path, vendor, valkey_url: str):
    path, prefix = tmp_path / "hortus.db", f"t{ids.new()}:"
    shutil.copy(sqlite_template, path)
    given = {"redis_url": valkey_url, "redis_prefix": prefix, "rate_limits_enabled": True, "knows_its_port": True}
    limits = {"register": "100/minute", "verify_email": "100/minute"}
    async with serve(
        f"sqlite+aiosqlite:///{path}", tmp_path, frontend_base_url=ORIGIN, rate_limits=limits, **given
    ) as hortus:
        mailbox = Mailbox()
        mailbox.attach(hortus)
        person = await live(hortus, mailbox)
        await leave(hortus, person)
        await idle(hortus)
        assert (await person.client.get("/api/user/me")).status_code == 401
        redis = Redis.from_url(valkey_url)
        everything = [await dumped(redis, key) async for key in redis.scan_iter(match=f"{prefix}*")]
        await redis.aclose()
    assert everything, "something was remembered"
    words = [*person.marks()[:4], *person.secrets]
    assert [word for word in words if any(word.encode() in each for each in everything)] == []


async def dumped(redis: Redis, key: bytes) -> bytes:
    """The key, and what lies under it, whatever it is."""
    kind = await redis.type(key)
    if kind == b"string":
        return key + (await redis.get(key) or b"")
    if kind == b"stream":
        return key + b"".join(value for _, fields in await redis.xrange(key) for value in fields.values())
    if kind == b"hash":
        return key + b"".join(part for pair in (await redis.hgetall(key)).items() for part in pair)
    return key + (await redis.dump(key) or b"")

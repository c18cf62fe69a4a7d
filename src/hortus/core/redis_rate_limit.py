"""Sliding windows in Redis, shared by processes: one script and one round trip, by the clock of the server."""

from dataclasses import dataclass

from hortus.core.redis import Redis

_HIT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local most, window, counts = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000, ARGV[3] == "1"
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local used = redis.call('ZCARD', KEYS[1])
local allowed = 0
if used < most then
  allowed = 1
  if counts then
    local score = string.format('%.0f', now)
    redis.call('ZADD', KEYS[1], score, score .. '-' .. used)
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    used = used + 1
  end
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local left = 0
if oldest[2] then left = tonumber(oldest[2]) + window - now end
return {allowed, most - used, math.ceil(left / 1000)}
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a hit was allowed, how many remain, and the seconds until the next is allowed."""

    allowed: bool
    remaining: int
    seconds: float


async def hit(redis: Redis, key: str, most: int, window: int, *, counts: bool = True) -> Verdict:
    """Count one hit of `key` unless there were `most` in the last `window` seconds; raises RedisDown.

    Without `counts` the verdict is the same, and nothing is counted.
    """
    allowed, remaining, ms = await redis.run(_HIT, [f"{redis.prefix}limit:{key}"], most, window, int(counts))
    return Verdict(bool(allowed), int(remaining), ms / 1000)

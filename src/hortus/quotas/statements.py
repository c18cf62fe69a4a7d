"""The SQL of the hot path."""

from sqlalchemy import BigInteger, Date, Integer, String, bindparam, text

from hortus.core.db import Moment
from hortus.core.reads import Read
from hortus.core.rowset import SetStatement

KNOWN = SetStatement("SELECT reference FROM quota_takes WHERE reference IN (SELECT d.id FROM {rows})", id="text")

# Without any plan there is a row with a null plan, which the caller must refuse.
LIMITS = SetStatement(
    'SELECT u.id, u.plan_id, w.kind, w."window", w."limit", CAST(s.qualities AS text) FROM ('
    "SELECT d.id, COALESCE(h.plan_id, (SELECT p.id FROM plans AS p WHERE p.name = 'basic' AND p.active "
    "ORDER BY p.version DESC LIMIT 1)) AS plan_id FROM {rows} "
    "LEFT JOIN plan_holders AS h ON h.user_id = d.id AND (h.until IS NULL OR h.until > :now)"
    ") AS u LEFT JOIN plans AS s ON s.id = u.plan_id LEFT JOIN plan_windows AS w ON w.plan_id = u.plan_id",
    id="text",
)

_KEY = {"who": "text", "what": "text", "period": "text", "since": "date"}

OPEN = SetStatement(
    'INSERT INTO quota_usage (user_id, kind, "window", starts_on, used) '
    "SELECT d.who, d.what, d.period, d.since, 0 FROM {rows} WHERE true ORDER BY d.who, d.what, d.period, d.since "
    'ON CONFLICT (user_id, kind, "window", starts_on) DO NOTHING',
    **_KEY,
)
READ = SetStatement(
    'SELECT user_id, kind, "window", used FROM quota_usage WHERE (user_id, kind, "window", starts_on) IN '
    "(SELECT d.who, d.what, d.period, d.since FROM {rows}) "
    'ORDER BY user_id, kind, "window", starts_on {lock}',
    **_KEY,
)
# The guard has the last word: never above the limit, never below zero.
COUNT = SetStatement(
    "UPDATE quota_usage SET used = used + d.change FROM {rows} "
    'WHERE user_id = d.who AND kind = d.what AND "window" = d.period AND starts_on = d.since '
    "AND used + d.change >= 0 AND (d.most IS NULL OR used + d.change <= d.most)",
    **_KEY,
    change="bigint",
    most="bigint",
)
INSERT_TAKES = SetStatement(
    "INSERT INTO quota_takes (reference, user_id, kind, count, day, month, status, created_at) "
    "SELECT d.id, d.who, d.what, d.number, :day, :month, 'taken', :now FROM {rows} WHERE true "
    "ON CONFLICT (reference) DO NOTHING",
    id="text", who="text", what="text", number="bigint",
)  # fmt: skip
LOCK_TAKES = SetStatement(
    "SELECT reference FROM quota_takes WHERE reference IN (SELECT d.id FROM {rows}) ORDER BY reference {lock}",
    id="text",
)
GIVE_BACK = SetStatement(
    "UPDATE quota_takes SET status = 'given_back' WHERE reference IN (SELECT d.id FROM {rows}) AND status = 'taken' "
    "RETURNING reference, user_id, kind, count, day, month",
    id="text",
).answering(reference=String(), user_id=String(), kind=String(), count=Integer(), day=Date(), month=Date())
# One row at least for every plan; no row at all means that there is no plan, which the caller must refuse.
USAGE = Read(
    text(
        'SELECT p.name AS plan, w.kind, w."window", w."limit", COALESCE(q.used, 0) AS used FROM plans AS p '
        "LEFT JOIN plan_windows AS w ON w.plan_id = p.id "
        'LEFT JOIN quota_usage AS q ON q.user_id = :user_id AND q.kind = w.kind AND q."window" = w."window" '
        "AND q.starts_on = CASE w.\"window\" WHEN 'day' THEN :day ELSE :month END "
        "WHERE p.id = COALESCE("
        "(SELECT h.plan_id FROM plan_holders AS h WHERE h.user_id = :user_id AND (h.until IS NULL OR h.until > :now)), "
        "(SELECT b.id FROM plans AS b WHERE b.name = 'basic' AND b.active ORDER BY b.version DESC LIMIT 1)) "
        'ORDER BY w.kind, w."window"'
    )
    .bindparams(
        bindparam("user_id", type_=String()),
        bindparam("day", type_=Date()),
        bindparam("month", type_=Date()),
        bindparam("now", type_=Moment()),
    )
    .columns(plan=String(), kind=String(), window=String(), limit=BigInteger(), used=BigInteger())
)

# Budgets of API keys ---------------------------------------------------------

_BUDGET_KEY = {"who": "text", "period": "text", "since": "date"}

BUDGET_KNOWN = SetStatement(
    "SELECT reference FROM budget_takes WHERE reference IN (SELECT d.id FROM {rows})", id="text"
)
BUDGET_OPEN = SetStatement(
    'INSERT INTO budget_usage (key_id, "window", starts_on, accepted, calls, credits, failures) '
    "SELECT d.who, d.period, d.since, 0, 0, 0, 0 FROM {rows} WHERE true ORDER BY d.who, d.period, d.since "
    'ON CONFLICT (key_id, "window", starts_on) DO NOTHING',
    **_BUDGET_KEY,
)
BUDGET_READ = SetStatement(
    'SELECT key_id, "window", calls, credits FROM budget_usage WHERE (key_id, "window", starts_on) IN '
    '(SELECT d.who, d.period, d.since FROM {rows}) ORDER BY key_id, "window", starts_on {lock}',
    **_BUDGET_KEY,
)
# The guard has the last word: never above a budget, never below zero.
BUDGET_COUNT = SetStatement(
    "UPDATE budget_usage SET accepted = accepted + d.came, calls = calls + d.more_calls, "
    "credits = credits + d.more_credits, failures = failures + d.failed FROM {rows} "
    'WHERE key_id = d.who AND "window" = d.period AND starts_on = d.since '
    "AND calls + d.more_calls >= 0 AND credits + d.more_credits >= 0 "
    "AND (d.most_calls IS NULL OR calls + d.more_calls <= d.most_calls) "
    "AND (d.most_credits IS NULL OR credits + d.more_credits <= d.most_credits)",
    **_BUDGET_KEY,
    came="bigint", more_calls="bigint", more_credits="bigint", failed="bigint",
    most_calls="bigint", most_credits="bigint",
)  # fmt: skip
BUDGET_INSERT = SetStatement(
    "INSERT INTO budget_takes (reference, key_id, calls, credits, day, month, status, created_at) "
    "SELECT d.id, d.who, d.number, d.price, :day, :month, 'taken', :now FROM {rows} WHERE true "
    "ON CONFLICT (reference) DO NOTHING",
    id="text", who="text", number="bigint", price="bigint",
)  # fmt: skip
BUDGET_LOCK_TAKES = SetStatement(
    "SELECT reference FROM budget_takes WHERE reference IN (SELECT d.id FROM {rows}) ORDER BY reference {lock}",
    id="text",
)
BUDGET_GIVE_BACK = SetStatement(
    "UPDATE budget_takes SET status = 'given_back' WHERE reference IN (SELECT d.id FROM {rows}) "
    "AND status = 'taken' RETURNING reference, key_id, calls, credits, day, month",
    id="text",
).answering(reference=String(), key_id=String(), calls=BigInteger(), credits=BigInteger(), day=Date(), month=Date())
BUDGET_SERIES = SetStatement(
    'SELECT b.key_id, b."window", b.starts_on, b.accepted, b.calls, b.credits, b.failures FROM budget_usage AS b '
    'WHERE (b.key_id, b."window", b.starts_on) IN (SELECT d.who, d.period, d.since FROM {rows})',
    **_BUDGET_KEY,
).answering(
    key_id=String(), window=String(), starts_on=Date(),
    accepted=BigInteger(), calls=BigInteger(), credits=BigInteger(), failures=BigInteger(),
)  # fmt: skip

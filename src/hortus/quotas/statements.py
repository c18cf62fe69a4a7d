"""SQL statements of quotas and budgets."""

from sqlalchemy import BigInteger, Date, Integer, String, bindparam, text

from hortus.core.db import UtcDateTime
from hortus.core.db.bulk import BulkStatement
from hortus.core.db.compiled_select import PreparedSelect

KNOWN = BulkStatement("SELECT reference FROM quota_uses WHERE reference IN (SELECT d.id FROM {rows})", id="text")

# Returns a row with a null plan when there is no plan at all; the caller must raise then.
LIMITS = BulkStatement(
    'SELECT u.id, u.plan_id, w.kind, w."window", w."limit", CAST(s.qualities AS text) FROM ('
    "SELECT d.id, COALESCE(h.plan_id, (SELECT p.id FROM plans AS p WHERE p.name = 'basic' AND p.active "
    "ORDER BY p.version DESC LIMIT 1)) AS plan_id FROM {rows} "
    "LEFT JOIN user_plans AS h ON h.user_id = d.id AND (h.until IS NULL OR h.until > :now)"
    ") AS u LEFT JOIN plans AS s ON s.id = u.plan_id LEFT JOIN plan_windows AS w ON w.plan_id = u.plan_id",
    id="text",
)

_KEY = {"user_id": "text", "kind": "text", "period": "text", "starts_on": "date"}

OPEN = BulkStatement(
    'INSERT INTO quota_usage (user_id, kind, "window", starts_on, used) '
    "SELECT d.user_id, d.kind, d.period, d.starts_on, 0 FROM {rows} WHERE true "
    "ORDER BY d.user_id, d.kind, d.period, d.starts_on "
    'ON CONFLICT (user_id, kind, "window", starts_on) DO NOTHING',
    **_KEY,
)
READ = BulkStatement(
    'SELECT user_id, kind, "window", used FROM quota_usage WHERE (user_id, kind, "window", starts_on) IN '
    "(SELECT d.user_id, d.kind, d.period, d.starts_on FROM {rows}) "
    'ORDER BY user_id, kind, "window", starts_on {lock}',
    **_KEY,
)
# The WHERE clause is the final check: never above the limit, never below zero.
COUNT = BulkStatement(
    "UPDATE quota_usage AS q SET used = q.used + d.change FROM {rows} "
    'WHERE q.user_id = d.user_id AND q.kind = d.kind AND q."window" = d.period AND q.starts_on = d.starts_on '
    "AND q.used + d.change >= 0 AND (d.most IS NULL OR q.used + d.change <= d.most)",
    **_KEY,
    change="bigint",
    most="bigint",
)
INSERT_USES = BulkStatement(
    "INSERT INTO quota_uses (reference, user_id, kind, count, day, month, status, created_at) "
    "SELECT d.reference, d.user_id, d.kind, d.amount, :day, :month, 'consumed', :now FROM {rows} WHERE true "
    "ON CONFLICT (reference) DO NOTHING",
    reference="text", user_id="text", kind="text", amount="bigint",
)  # fmt: skip
LOCK_USES = BulkStatement(
    "SELECT reference FROM quota_uses WHERE reference IN (SELECT d.id FROM {rows}) ORDER BY reference {lock}",
    id="text",
)
RESTORE = BulkStatement(
    "UPDATE quota_uses SET status = 'restored' WHERE reference IN (SELECT d.id FROM {rows}) AND status = 'consumed' "
    "RETURNING reference, user_id, kind, count, day, month",
    id="text",
).result_types(reference=String(), user_id=String(), kind=String(), count=Integer(), day=Date(), month=Date())
PLAN_NAME = PreparedSelect(
    text(
        "SELECT p.name AS plan FROM plans AS p WHERE p.id = COALESCE("
        "(SELECT h.plan_id FROM user_plans AS h WHERE h.user_id = :user_id AND (h.until IS NULL OR h.until > :now)), "
        "(SELECT b.id FROM plans AS b WHERE b.name = 'basic' AND b.active ORDER BY b.version DESC LIMIT 1))"
    )
    .bindparams(bindparam("user_id", type_=String()), bindparam("now", type_=UtcDateTime()))
    .columns(plan=String())
)
# At least one row for every plan. No row means that there is no plan at all; the caller must raise then.
USAGE = PreparedSelect(
    text(
        'SELECT p.name AS plan, w.kind, w."window", w."limit", COALESCE(q.used, 0) AS used FROM plans AS p '
        "LEFT JOIN plan_windows AS w ON w.plan_id = p.id "
        'LEFT JOIN quota_usage AS q ON q.user_id = :user_id AND q.kind = w.kind AND q."window" = w."window" '
        "AND q.starts_on = CASE w.\"window\" WHEN 'day' THEN :day ELSE :month END "
        "WHERE p.id = COALESCE("
        "(SELECT h.plan_id FROM user_plans AS h WHERE h.user_id = :user_id AND (h.until IS NULL OR h.until > :now)), "
        "(SELECT b.id FROM plans AS b WHERE b.name = 'basic' AND b.active ORDER BY b.version DESC LIMIT 1)) "
        'ORDER BY w.kind, w."window"'
    )
    .bindparams(
        bindparam("user_id", type_=String()),
        bindparam("day", type_=Date()),
        bindparam("month", type_=Date()),
        bindparam("now", type_=UtcDateTime()),
    )
    .columns(plan=String(), kind=String(), window=String(), limit=BigInteger(), used=BigInteger())
)

# Budgets of API keys ---------------------------------------------------------

_BUDGET_KEY = {"key_id": "text", "period": "text", "starts_on": "date"}

BUDGET_KNOWN = BulkStatement(
    "SELECT reference FROM budget_uses WHERE reference IN (SELECT d.id FROM {rows})", id="text"
)
BUDGET_OPEN = BulkStatement(
    'INSERT INTO budget_usage (key_id, "window", starts_on, accepted, calls, credits, failures) '
    "SELECT d.key_id, d.period, d.starts_on, 0, 0, 0, 0 FROM {rows} WHERE true "
    "ORDER BY d.key_id, d.period, d.starts_on "
    'ON CONFLICT (key_id, "window", starts_on) DO NOTHING',
    **_BUDGET_KEY,
)
BUDGET_READ = BulkStatement(
    'SELECT key_id, "window", calls, credits FROM budget_usage WHERE (key_id, "window", starts_on) IN '
    '(SELECT d.key_id, d.period, d.starts_on FROM {rows}) ORDER BY key_id, "window", starts_on {lock}',
    **_BUDGET_KEY,
)
# The WHERE clause is the final check: never above a budget, never below zero.
BUDGET_COUNT = BulkStatement(
    "UPDATE budget_usage AS b SET accepted = b.accepted + d.accepted, calls = b.calls + d.calls, "
    "credits = b.credits + d.credits, failures = b.failures + d.failures FROM {rows} "
    'WHERE b.key_id = d.key_id AND b."window" = d.period AND b.starts_on = d.starts_on '
    "AND b.calls + d.calls >= 0 AND b.credits + d.credits >= 0 "
    "AND (d.most_calls IS NULL OR b.calls + d.calls <= d.most_calls) "
    "AND (d.most_credits IS NULL OR b.credits + d.credits <= d.most_credits)",
    **_BUDGET_KEY,
    accepted="bigint", calls="bigint", credits="bigint", failures="bigint",
    most_calls="bigint", most_credits="bigint",
)  # fmt: skip
BUDGET_INSERT = BulkStatement(
    "INSERT INTO budget_uses (reference, key_id, calls, credits, day, month, status, created_at) "
    "SELECT d.reference, d.key_id, d.calls, d.credits, :day, :month, 'consumed', :now FROM {rows} WHERE true "
    "ON CONFLICT (reference) DO NOTHING",
    reference="text", key_id="text", calls="bigint", credits="bigint",
)  # fmt: skip
BUDGET_LOCK_USES = BulkStatement(
    "SELECT reference FROM budget_uses WHERE reference IN (SELECT d.id FROM {rows}) ORDER BY reference {lock}",
    id="text",
)
BUDGET_RESTORE = BulkStatement(
    "UPDATE budget_uses SET status = 'restored' WHERE reference IN (SELECT d.id FROM {rows}) "
    "AND status = 'consumed' RETURNING reference, key_id, calls, credits, day, month",
    id="text",
).result_types(reference=String(), key_id=String(), calls=BigInteger(), credits=BigInteger(), day=Date(), month=Date())
BUDGET_SERIES = BulkStatement(
    'SELECT b.key_id, b."window", b.starts_on, b.accepted, b.calls, b.credits, b.failures FROM budget_usage AS b '
    'WHERE (b.key_id, b."window", b.starts_on) IN (SELECT d.key_id, d.period, d.starts_on FROM {rows})',
    **_BUDGET_KEY,
).result_types(
    key_id=String(), window=String(), starts_on=Date(),
    accepted=BigInteger(), calls=BigInteger(), credits=BigInteger(), failures=BigInteger(),
)  # fmt: skip

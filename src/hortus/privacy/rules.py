"""What becomes of each table when its owner asks for their data, and when they leave.

**You added a table and a test failed?** Add it here: to `RULES` where its rows are about a user, else to `OTHERS` with
the reason. A rule says whose the rows are (`whose.py`), what an export leaves out (`hidden` columns, or the whole
table for a reason), and what erasure does: `DELETE`, `Blank` with what each column becomes, or `Kept` for a reason.
Erasure goes from the top: a table that refers to another stands above it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hortus.privacy.whose import Whose, any_of, by, notes_about, reached_at, through


@dataclass(frozen=True, slots=True)
class Blank:
    """The rows stay, these columns lose what they said."""

    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows stay as they are, because."""

    reason: str


DELETE: Literal["delete"] = "delete"
Erase = Literal["delete"] | Blank | Kept


@dataclass(frozen=True, slots=True)
class Rule:
    """How one table about users is exported and erased."""

    whose: Whose
    erase: Erase = DELETE
    hidden: frozenset[str] = field(default_factory=frozenset)
    left_out: str | None = None
    """Why the export does not show the table."""


def shown(whose: Whose, *hidden: str, erase: Erase = DELETE) -> Rule:
    """The export shows the rows, without these columns."""
    return Rule(whose, erase, frozenset(hidden))


def left_out(reason: str, whose: Whose, erase: Erase = DELETE) -> Rule:
    """The export does not show the rows."""
    return Rule(whose, erase, left_out=reason)


SECRET = "nothing but secrets, kept as digests"  # noqa: S105 - a reason, not a secret
PASSING = "gone within a day by itself"
MONEY = Kept("papers about money are kept as long as the law asks; they name an account that nobody is behind any more")

RULES: dict[str, Rule] = {
    # These look at identifiers, so they stand above them.
    "one_time_codes": left_out(PASSING, any_of(by("user_id", "subject"), reached_at("target", "kind"))),
    "oidc_flows": left_out(PASSING, any_of(by("user_id", "link_user_id"), reached_at("email"))),
    "link_tokens": left_out(PASSING, by("user_id")),
    # Who they are
    "identifiers": shown(by("user_id")),
    "refresh_tokens": left_out(SECRET, through("session_id", "sessions")),
    "sessions": shown(by("user_id")),
    "devices": shown(by("user_id")),
    "totp_factors": shown(by("user_id"), "sealed", "last_step"),
    "recovery_codes": left_out(SECRET, by("user_id")),
    "second_factor_challenges": left_out(PASSING, by("user_id")),
    "passkey_challenges": left_out(PASSING, by("user_id")),
    "passkeys": shown(by("user_id"), "credential_id", "public_key", "sign_count"),
    "external_accounts": shown(by("user_id")),
    "api_key_secrets": left_out(SECRET, through("key_id", "api_keys")),
    "budget_uses": left_out("the single calls of keys; `budget_usage` has their sums", through("key_id", "api_keys")),
    "budget_usage": shown(through("key_id", "api_keys")),
    "api_keys": shown(by("user_id")),
    "consent_records": shown(by("user_id"), erase=Blank({"network": None})),
    "idempotency_keys": left_out(PASSING, by("scope")),
    # What they made
    "messages": shown(through("room_id", "chatrooms"), "search", "waits_for", "request_id"),
    "chatrooms": shown(by("user_id"), "activity", "leaf_id", "search"),
    "files": shown(by("user_id"), "storage_key", "swept_at", "search"),
    "data_exports": shown(by("user_id")),
    "audit_notes": left_out("what staff wrote for each other; erased with the account", notes_about),
    "audit_events": left_out(
        "the log of what staff did; it names people by their ids alone",
        by("target_id", "actor_id"),
        Kept("a log that could be changed proves nothing; no name, address or number stands in it"),
    ),
    "tasks": left_out("work that is being done now; its results are in the other files", by("user_id")),
    # What they used and paid
    "quota_uses": left_out("the single uses; `quota_usage` has their sums", by("user_id")),
    "quota_usage": shown(by("user_id")),
    "user_plans": shown(by("user_id")),
    "generations": shown(
        by("user_id"),
        "job_handle",
        "job_provider",
        "job_model",
        "route",
        "withheld",
        "cost",
        "cost_currency",
        "search",
        erase=Blank(
            {
                "prompt": "",
                "search": "",
                "params": {},
                "text": None,
                "outputs": [],
                "withheld": None,
                "job_handle": None,
                "key_id": None,
            }
        ),
    ),
    "credit_requests": shown(by("user_id"), "asked_by", "decided_by", erase=Blank({"reason": "erased"})),
    "auto_topups": shown(by("user_id")),
    "low_balance_alerts": shown(by("user_id")),
    "referral_codes": shown(by("user_id")),
    "referrals": shown(by("user_id"), "referrer_id", erase=MONEY),
    "gateway_customers": shown(by("user_id")),
    "checkouts": shown(by("user_id"), "order", "url", erase=Blank({"url": None, "order": None})),
    "failed_payments": shown(by("user_id"), erase=Blank({"reason": "erased"})),
    "payments": shown(by("user_id"), "clawback_due", "restore_count", erase=MONEY),
    "subscriptions": shown(by("user_id"), erase=MONEY),
    "billing_details": shown(by("user_id")),
    "invoices": shown(
        by("user_id"),
        erase=Kept("tax law forbids to change or lose a paper that was given out, and it names its buyer"),
    ),
    "coupon_redemptions": shown(by("user_id"), erase=MONEY),
    "coupon_holders": left_out("the sums of `coupon_redemptions`", by("user_id"), MONEY),
    "refunds": shown(through("payment_id", "payments"), erase=MONEY),
    "disputes": shown(through("payment_id", "payments"), erase=MONEY),
    "credit_accounts": shown(by("user_id"), erase=MONEY),
    "credit_grants": shown(by("user_id"), erase=MONEY),
    "credit_reservations": shown(through("reference", "generations"), erase=MONEY),
    "reservation_parts": left_out(
        "how each reservation is shared between grants", through("reference", "generations"), MONEY
    ),
    "ledger_entries": shown(by("account"), erase=MONEY),
    "account_deletions": shown(by("user_id"), erase=Kept("it shows that the wish was carried out, and when")),
    # Last: whatever was killed before this begins anew.
    "users": shown(
        by("id"),
        "password_hash",
        erase=Blank({"name": None, "password_hash": None, "marketing_consent": False, "role": "user"}),
    ),
}

OTHERS: dict[str, str] = {
    "audit_head": "the end of the audit log",
    "code_send_counts": "keyed digests of addresses, gone within days",
    "coupons": "what is sold",
    "credit_packs": "what is sold",
    "invoice_series": "the last number given out",
    "key_refusals": "which vendors do not accept the installation's key",
    "disabled_offers": "what is not sold now",
    "plan_windows": "what is sold",
    "plans": "what is sold",
    "invariant_checks": "the last results of the invariant checks",
    "sandbox_events": "a vendor's own records, which name nobody",
    "sandbox_objects": "a vendor's own records, which name nobody",
    "setup_tokens": "the way in of the first administrator, who is nobody yet",
    "login_throttle_buckets": "keyed digests, gone after an hour without a try",
    "task_schedules": "the clock",
    "task_workers": "processes",
    "gateway_prices": "what is sold",
    "webhook_events": "found by what they say, and swept after a time (`erase.py`, `retention.py`)",
    "signup_bonus_claims": "keyed digests of addresses that claimed the sign-up bonus, granted once; kept for good",
    "wrong_codes": "keyed digests, gone within days",
}


def unmapped(tables: Collection[str]) -> set[str]:
    """The tables that stand in neither `RULES` nor `OTHERS`, or in both, and those listed here that do not exist."""
    return (set(tables) ^ {*RULES, *OTHERS}) | (set(RULES) & set(OTHERS))

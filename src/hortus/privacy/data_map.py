"""The data map: for each table, who owns its rows, what the export shows and what erasure does.

**You added a table and a test failed?** Add it here: to `DATA_MAP` if its rows are about a user, else to
`UNOWNED_TABLES` with the reason. A rule names the owner of the rows (`ownership.py`), what the export excludes
(`hidden` columns, or the whole table with a reason), and what erasure does: `DELETE`, `Anonymise` with the new value of
each column, or `Retain` with a reason. Erasure runs from top to bottom: a table comes before the tables that it
references.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hortus.privacy.ownership import OwnerClause, any_of, by, notes_about, reached_at, through


@dataclass(frozen=True, slots=True)
class Anonymise:
    """Keep the rows and overwrite these columns."""

    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Retain:
    """Keep the rows unchanged, for this reason."""

    reason: str


DELETE: Literal["delete"] = "delete"
Erase = Literal["delete"] | Anonymise | Retain


@dataclass(frozen=True, slots=True)
class TableRule:
    """How one table about users is exported and erased."""

    owner: OwnerClause
    erase: Erase = DELETE
    hidden: frozenset[str] = field(default_factory=frozenset)
    excluded: str | None = None
    """Why the export does not contain the table."""


def shown(owner: OwnerClause, *hidden: str, erase: Erase = DELETE) -> TableRule:
    """A table that the export contains, without the hidden columns."""
    return TableRule(owner, erase, frozenset(hidden))


def excluded(reason: str, owner: OwnerClause, erase: Erase = DELETE) -> TableRule:
    """A table that the export does not contain."""
    return TableRule(owner, erase, excluded=reason)


SECRET = "only digests of secrets"  # noqa: S105 - a reason, not a secret
PASSING = "expires within a day"
MONEY = Retain(
    "accounting records are retained for as long as the law requires; after erasure they name an anonymous account"
)

DATA_MAP: dict[str, TableRule] = {
    # Matched by identifiers, so these come before them.
    "one_time_codes": excluded(PASSING, any_of(by("user_id", "subject"), reached_at("target", "kind"))),
    "oidc_flows": excluded(PASSING, any_of(by("user_id", "link_user_id"), reached_at("email"))),
    "link_tokens": excluded(PASSING, by("user_id")),
    # Identity and sign-in
    "identifiers": shown(by("user_id")),
    "refresh_tokens": excluded(SECRET, through("session_id", "sessions")),
    "sessions": shown(by("user_id")),
    "devices": shown(by("user_id")),
    "totp_factors": shown(by("user_id"), "sealed", "last_step"),
    "recovery_codes": excluded(SECRET, by("user_id")),
    "second_factor_challenges": excluded(PASSING, by("user_id")),
    "passkey_challenges": excluded(PASSING, by("user_id")),
    "passkeys": shown(by("user_id"), "credential_id", "public_key", "sign_count"),
    "external_accounts": shown(by("user_id")),
    "api_key_secrets": excluded(SECRET, through("key_id", "api_keys")),
    "budget_uses": excluded("single calls by API keys; `budget_usage` has their totals", through("key_id", "api_keys")),
    "budget_usage": shown(through("key_id", "api_keys")),
    "api_keys": shown(by("user_id")),
    "consent_records": shown(by("user_id"), erase=Anonymise({"network": None})),
    "idempotency_keys": excluded(PASSING, by("scope")),
    # Content
    "messages": shown(through("room_id", "chatrooms"), "search", "waits_for", "request_id"),
    "chatrooms": shown(by("user_id"), "activity", "leaf_id", "search"),
    "files": shown(by("user_id"), "storage_key", "swept_at", "search"),
    "data_exports": shown(by("user_id")),
    "audit_notes": excluded("internal notes of staff; erased with the account", notes_about),
    "audit_events": excluded(
        "the log of actions by staff; it contains user ids only",
        by("target_id", "actor_id"),
        Retain("the audit log is append-only; it contains no name, address or number"),
    ),
    "tasks": excluded("running background tasks; their results are in the other files", by("user_id")),
    # Usage and payments
    "quota_uses": excluded("single uses; `quota_usage` has their totals", by("user_id")),
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
        erase=Anonymise(
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
    "credit_requests": shown(by("user_id"), "asked_by", "decided_by", erase=Anonymise({"reason": "erased"})),
    "auto_topups": shown(by("user_id")),
    "low_balance_alerts": shown(by("user_id")),
    "referral_codes": shown(by("user_id")),
    "referrals": shown(by("user_id"), "referrer_id", erase=MONEY),
    "gateway_customers": shown(by("user_id")),
    "checkouts": shown(by("user_id"), "order", "url", erase=Anonymise({"url": None, "order": None})),
    "failed_payments": shown(by("user_id"), erase=Anonymise({"reason": "erased"})),
    "payments": shown(by("user_id"), "clawback_due", "restore_count", erase=MONEY),
    "subscriptions": shown(by("user_id"), erase=MONEY),
    "billing_details": shown(by("user_id")),
    "invoices": shown(
        by("user_id"),
        erase=Retain("tax law requires that an issued invoice is kept unchanged, and it names its buyer"),
    ),
    "coupon_redemptions": shown(by("user_id"), erase=MONEY),
    "coupon_holders": excluded("the totals of `coupon_redemptions`", by("user_id"), MONEY),
    "refunds": shown(through("payment_id", "payments"), erase=MONEY),
    "disputes": shown(through("payment_id", "payments"), erase=MONEY),
    "credit_accounts": shown(by("user_id"), erase=MONEY),
    "credit_grants": shown(by("user_id"), erase=MONEY),
    "credit_reservations": shown(through("reference", "generations"), erase=MONEY),
    "reservation_parts": excluded(
        "the shares of each reservation by grant", through("reference", "generations"), MONEY
    ),
    "ledger_entries": shown(by("account"), erase=MONEY),
    "account_deletions": shown(by("user_id"), erase=Retain("it documents when the erasure was requested and done")),
    # Last, so that an interrupted erasure starts again.
    "users": shown(
        by("id"),
        "password_hash",
        erase=Anonymise({"name": None, "password_hash": None, "marketing_consent": False, "role": "user"}),
    ),
}

UNOWNED_TABLES: dict[str, str] = {
    "audit_head": "the end of the audit log",
    "code_send_counts": "keyed digests of addresses, deleted within days",
    "coupons": "price list",
    "credit_packs": "price list",
    "invoice_series": "the last invoice number",
    "key_refusals": "provider keys that were rejected",
    "disabled_offers": "disabled offers of the price list",
    "plan_windows": "price list",
    "plans": "price list",
    "invariant_checks": "the last results of the invariant checks",
    "sandbox_events": "records of the test gateway, without personal data",
    "sandbox_objects": "records of the test gateway, without personal data",
    "setup_tokens": "the setup token of the first administrator, before there is a user",
    "login_throttle_buckets": "keyed digests, deleted after an hour without an attempt",
    "task_schedules": "schedules of periodic tasks",
    "task_workers": "worker processes",
    "gateway_prices": "price list",
    "webhook_events": "searched for the user's identifiers on erasure, and emptied after the retention period",
    "signup_bonus_claims": "keyed digests of addresses that claimed the sign-up bonus, granted once; retained",
    "wrong_codes": "keyed digests, deleted within days",
}


def unmapped_tables(tables: Collection[str]) -> set[str]:
    """Tables that are missing in `DATA_MAP` and `UNOWNED_TABLES`, listed in both, or listed and not existing."""
    return (set(tables) ^ {*DATA_MAP, *UNOWNED_TABLES}) | (set(DATA_MAP) & set(UNOWNED_TABLES))

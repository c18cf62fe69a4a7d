"""Tables of sign-in: one-time codes, second factors, passkeys, external accounts, API keys and the login throttle."""

from datetime import date, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type


class OneTimeCode(Base):
    """The newest code of a purpose for a target; a newer one replaces it.

    `digest` is set when the message is written and stays empty if none is sent. `subject` is the user who adds an
    identifier, and empty otherwise. `pending` is the data of a sign-up.
    """

    __tablename__ = "one_time_codes"
    __table_args__ = (Index("ix_one_time_codes_expires_at", "expires_at"),)

    purpose: Mapped[str] = mapped_column(String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    target: Mapped[str] = mapped_column(String(320), primary_key=True)
    subject: Mapped[str] = mapped_column(String(36), primary_key=True)
    id: Mapped[str] = mapped_column(id_type(), unique=True)
    user_id: Mapped[str | None] = mapped_column(id_type())
    digest: Mapped[str | None] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(SmallInteger)
    stray_tries: Mapped[int] = mapped_column(SmallInteger)
    requester_digest: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(5))
    pending: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LinkToken(Base):
    """A link in a mail, by digest. Used once."""

    __tablename__ = "link_tokens"
    __table_args__ = (Index("ix_link_tokens_expires_at", "expires_at"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    target: Mapped[str] = mapped_column(String(320))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SendCount(Base):
    """How many messages or tries a cap has counted since `since`. Caps per hour keep each moment (Unix time)."""

    __tablename__ = "code_send_counts"
    __table_args__ = (Index("ix_code_send_counts_since", "since"),)

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime]
    sent: Mapped[int]
    moments: Mapped[list[float] | None] = mapped_column(JSON)


class WrongCodes(Base):
    """The number of wrong codes for a target on a day, and when its owner was notified."""

    __tablename__ = "wrong_codes"
    __table_args__ = (Index("ix_wrong_codes_day", "day"),)

    target: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date]
    wrong: Mapped[int]
    notified_at: Mapped[datetime | None]


class TotpFactor(Base):
    """The authenticator app of a user. Active once `confirmed_at` is set.

    `sealed` is the secret, encrypted and bound to the user. `last_step` is the newest time step whose code was used:
    it and older ones are refused. `failures` counts wrong attempts since the last success.
    """

    __tablename__ = "totp_factors"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    failures: Mapped[int]
    blocked_until: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that replaces the authenticator app once. Kept as a keyed hash."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "digest"),)

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SecondFactorChallenge(Base):
    """A sign-in that waits for the second factor. Stored by digest, used once."""

    __tablename__ = "second_factor_challenges"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    tries: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class Passkey(Base):
    """A public key whose private key is on a user's device.

    `credential_id` is WebAuthn's id in base64url. `regressed_at` is when a signature had a smaller counter, which
    indicates a copied key.
    """

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_of_user", "user_id", "id"),)

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(100))
    backed_up: Mapped[bool]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    regressed_at: Mapped[datetime | None]


class PasskeyChallenge(Base):
    """A WebAuthn challenge, by digest. Used once; `user_id` is empty before the user is identified."""

    __tablename__ = "passkey_challenges"

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(12))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class ExternalAccount(Base):
    """An account at an issuer that is a way into an account here. The pair of issuer and subject never changes.

    `granted_role` is the role that the issuer's claim gave last; only that one is taken away again.
    """

    __tablename__ = "external_accounts"
    __table_args__ = (UniqueConstraint("issuer", "subject"), Index("ix_external_accounts_of_user", "user_id", "id"))

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    issuer: Mapped[str] = mapped_column(String(300))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(320))
    granted_role: Mapped[str | None] = mapped_column(String(10))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]


class OidcFlow(Base):
    """One sign-in or linking with an OIDC provider: begun, claimed by its callback, exchanged for tokens; each once.

    The row alone gives no access: state, browser secret and exchange code are stored as digests, and nonce and PKCE
    verifier are derived from the browser secret.
    """

    __tablename__ = "oidc_flows"

    state_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(40))
    browser_digest: Mapped[str] = mapped_column(String(64))
    challenge: Mapped[str | None] = mapped_column(String(64))
    """The challenge of a front end on another site, which exchanges the code with its verifier instead of a cookie."""
    return_to: Mapped[str] = mapped_column(String(500))
    accepts_terms: Mapped[bool]
    link_user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    link_session_id: Mapped[str | None] = mapped_column(id_type())
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    claimed_at: Mapped[datetime | None]
    exchange_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    exchanged_at: Mapped[datetime | None]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    issuer: Mapped[str | None] = mapped_column(String(300))
    subject: Mapped[str | None] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(320))


ACTIVE = text("revoked_at IS NULL")


class ApiKey(Base):
    """One key of a user. A null list or budget does not limit; a revoked key keeps its row for the record."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_of_user", "user_id", "id", postgresql_where=ACTIVE, sqlite_where=ACTIVE),
        Index("ix_api_keys_ever_of_user", "user_id", "id"),
        {"postgresql_with": {"fillfactor": 80}},
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(20))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    models: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    addresses: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    daily_calls: Mapped[int | None] = mapped_column(BigInteger)
    monthly_calls: Mapped[int | None] = mapped_column(BigInteger)
    daily_credits: Mapped[int | None] = mapped_column(BigInteger)
    monthly_credits: Mapped[int | None] = mapped_column(BigInteger)
    enabled: Mapped[bool]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str | None] = mapped_column(String(64))


class ApiKeySecret(Base):
    """A secret of an API key, by digest. The current one has no `expires_at`; one replaced by a rotation has."""

    __tablename__ = "api_key_secrets"
    __table_args__ = (Index(None, "key_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey(ApiKey.id))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class LoginThrottleBucket(Base):
    """Failed attempts in one bucket, by a keyed digest. `next_at` is the time of the next allowed attempt."""

    __tablename__ = "login_throttle_buckets"
    __table_args__ = (Index(None, "updated_at"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    next_at: Mapped[datetime]
    updated_at: Mapped[datetime]

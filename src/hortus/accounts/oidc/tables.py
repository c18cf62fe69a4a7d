"""Accounts at issuers that sign our users in, and the sign-ins that are on their way."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

ISSUERS = "accounts.oidc.issuers"
"""Under this name every transaction carries the issuers that are configured now."""


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
    """One sign-in (or one linking) through an issuer: begun, claimed by its callback, traded for tokens; each once.

    Nothing in it is of use to whoever reads it: state, the browser's secret and the exchange code are kept as
    digests, and nonce and PKCE verifier follow from the browser's secret.
    """

    __tablename__ = "oidc_flows"

    state_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(40))
    browser_digest: Mapped[str] = mapped_column(String(64))
    challenge: Mapped[str | None] = mapped_column(String(64))
    """What the front end gave so that only it can trade the exchange code, where cookies do not reach."""
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

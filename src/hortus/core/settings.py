"""The small core of settings, read from the environment and `.env`.

Each adapter declares its own settings beside its code; what stands here is what
several features share. Names in capitals are the environment variables.
"""

import hmac
import os
import secrets
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, NonNegativeInt, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PLACEHOLDERS = ("change", "your-", "your_", "secret", "example", "placeholder", "password", "test", "dev")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class UnsafeSettings(Exception):
    """The settings would expose an installation; start-up stops here with a sentence for the operator."""


def _rate_limits_from_environment() -> dict[str, str]:
    prefix = "RATE_LIMIT_"
    found = {**dotenv_values(".env"), **os.environ}
    return {
        name.removeprefix(prefix).lower(): value for name, value in found.items() if name.startswith(prefix) and value
    }


class Settings(BaseSettings):
    """What an operator may set. Every default is safe and needs no key and no server."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True)

    # Where things are
    data_dir: Path = Field(Path("hortus-data"), validation_alias=AliasChoices("HORTUS_DATA", "data_dir"))
    database_url: str = Field("", validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    database_pool_size: PositiveInt = 10
    database_pool_overflow: NonNegativeInt | None = None
    """Connections beyond the pool for a rush; as many as the pool again, unless set."""
    database_pool_wait_seconds: float = Field(10.0, gt=0, le=120)
    database_statement_seconds: float = Field(30.0, ge=0)
    """How long one statement of a server may take on PostgreSQL; 0 is without end, here and below."""
    database_worker_statement_seconds: float = Field(120.0, ge=0)
    database_lock_seconds: float = Field(10.0, ge=0)
    database_idle_seconds: float = Field(60.0, ge=0)
    """How long a transaction may stay open with nothing asked before PostgreSQL ends it."""
    database_migration_lock_seconds: float = Field(3.0, gt=0)
    """How long a migration waits for a table before it steps back, lets others pass, and tries again."""
    database_pgbouncer: bool = False
    """DATABASE_URL leads to PgBouncer in transaction mode, or a pooler like it."""
    database_replica_url: str = ""
    """A streaming replica for older pages of histories; what it may answer is in docs/POSTGRESQL.md."""
    redis_url: str = Field("", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    """Shared by several processes: rate limits, what caches may rely on, live events. Never money, never quotas."""
    redis_prefix: str = "hortus:"
    redis_timeout_seconds: float = Field(0.25, gt=0, le=5)
    """How long one request waits for Redis at most, once; then it is left alone until a probe finds it well."""
    celery_broker_url: str = ""
    """`redis://…` (Valkey, Redis) or `amqp://…` (RabbitMQ): carries the news of new tasks to workers elsewhere."""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = Field("", validation_alias=AliasChoices("PUBLIC_URL", "RENDER_EXTERNAL_URL", "public_url"))
    frontend_base_url: str = ""
    allowed_hosts: Annotated[list[str], NoDecode] = Field(default_factory=list)
    trusted_proxies: Annotated[list[str], NoDecode] = Field(default_factory=list)
    """Addresses or networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`."""
    catalog_path: Path | None = None

    # Secrets
    secret_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("SECRET_KEY", "JWT_SECRET", "secret_key")
    )
    secret_key_previous: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)
    """Secrets that were SECRET_KEY before: what they signed is still good, nothing new is signed with them."""

    # Signing in
    access_token_expire_minutes: PositiveInt = 15
    refresh_token_expire_days: PositiveInt = 30
    principal_cache_seconds: float | None = None
    """How long one process may trust what it knows of a session; 0 asks the database at every call.

    Unset: 0, or with Redis, which tells every process of a change, two seconds; with Redis never longer.
    """
    require_admin_second_factor: bool = False
    """Whether an administrator must have proved two factors before any admin route answers."""
    passkey_rp_id: str = ""
    """The host name for which passkeys are made, when it is not that of FRONTEND_BASE_URL or PUBLIC_URL but one above
    it: `example.com` lets pages of `app.example.com` use them. Passkeys made before a change stop working."""

    # What is allowed
    quota_timezone: str = "UTC"
    basic_daily_limit: int | None = None
    pro_daily_limit: int | None = None
    rate_limits_enabled: bool = True
    rate_limits: dict[str, str] = Field(default_factory=_rate_limits_from_environment)
    """Overrides by name in lower case: `RATE_LIMIT_REGISTER=5/minute` is `{"register": "5/minute"}`."""

    # Administration
    admin_credit_limit: NonNegativeInt = 1000
    """Credits that one administrator may give alone within 24 hours; above, another one must approve."""

    # Work
    worker_concurrency: PositiveInt = 8
    worker_queues: str = ""
    """The queues a process serves, and how many tasks of each at once: `media=4,mail`. Empty means all."""
    worker_schedules: bool = True
    """Whether workers also do what `hortus scheduler` does; any number of them may."""
    shutdown_grace_seconds: float = Field(10.0, ge=0, le=3600)
    shutdown_drain_seconds: float = Field(0.0, ge=0, le=600)
    """For how long a server that is told to stop still serves while `/health/ready` already says no, so that
    whatever balances the load has time to notice: twice the interval of its checks."""
    lease_seconds: PositiveInt = 30
    chat_context_messages: PositiveInt = 10
    chat_context_tokens: PositiveInt = 8000
    chatroom_cache_ttl: PositiveInt = 300
    text_deadline_seconds: PositiveInt = 120
    image_deadline_seconds: PositiveInt = 300
    video_deadline_seconds: PositiveInt = 1200

    # Files
    max_upload_bytes: PositiveInt = 25 * 1024 * 1024
    max_image_pixels: PositiveInt = 50_000_000
    enhance_max_side: NonNegativeInt = 0
    """`enhance=true` scales an image down to this many pixels a side; 0: it keeps its size."""
    file_link_seconds: PositiveInt = 900
    file_retention_days: PositiveInt = 30

    # Watching it
    metrics_token: SecretStr = SecretStr("")
    """Whoever asks for `/metrics` must bear it; without one only this machine and private networks may ask."""
    worker_metrics_port: int = Field(0, ge=0, le=65535)
    """Where a worker or a scheduler tells `/metrics` and `/health`; 0 serves neither. One port per process and host."""
    worker_metrics_host: str = "127.0.0.1"
    """The address to listen on for them; `0.0.0.0` in a container."""
    otel_exporter_otlp_endpoint: str = ""
    """Where traces go, such as `http://collector:4318` (OTLP over HTTP); empty makes none."""
    otel_service_name: str = "hortus"
    sentry_dsn: SecretStr = SecretStr("")
    """Where errors are reported; empty reports none."""
    sentry_environment: str = "production"

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("secret_key_previous", mode="before")
    @classmethod
    def _split_secrets(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("public_url", "frontend_base_url")
    @classmethod
    def _website(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc):
            raise ValueError("must be the address of a website, such as https://studio.example.com")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _known_networks(cls, value: list[str]) -> list[str]:
        for entry in value:
            try:
                ip_network(entry, strict=False)
            except ValueError as error:
                raise ValueError(f"{entry!r} is no address or network such as 10.0.0.0/8") from error
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("REDIS_URL begins with redis://, rediss:// (TLS) or unix://")
        return value

    @field_validator("quota_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone; use a name such as UTC or Asia/Kolkata") from error
        return value

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """The websites that may call from a browser: FRONTEND_BASE_URL and PUBLIC_URL."""
        parts = [urlsplit(url) for url in (self.frontend_base_url, self.public_url) if url]
        return tuple(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The host names that are served; empty serves any. PUBLIC_URL names one, ALLOWED_HOSTS more, `*` all."""
        named = [*self.allowed_hosts]
        if self.public_url:
            named.append(urlsplit(self.public_url).netloc.rpartition("@")[2])
        if not named or "*" in named:
            return ()
        bare = {name.lower() if name.endswith("]") else name.rsplit(":", 1)[0].lower() for name in named}
        return tuple(sorted(bare | {"127.0.0.1", "[::1]", "localhost"}))

    @cached_property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `trusted_proxies`."""
        return tuple(ip_network(entry, strict=False) for entry in self.trusted_proxies)

    @property
    def zone(self) -> ZoneInfo:
        """The calendar in which quota windows turn over."""
        return ZoneInfo(self.quota_timezone)

    @property
    def database(self) -> str:
        """The URL of the database; a file in `data_dir` unless set."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'hortus.db'}"

    @property
    def origin(self) -> str:
        """Where the outside world reaches this installation, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @cached_property
    def key(self) -> bytes:
        """The installation's secret; made once and kept in `data_dir` when none is set."""
        given = self.secret_key.get_secret_value()
        return given.encode() if given else _kept_secret(self.data_dir)

    def keys_for(self, purpose: str) -> tuple[bytes, ...]:
        """Keys of one purpose, so that a signature never serves another. Sign with the first; verify with any."""
        roots = (self.key, *(previous.get_secret_value().encode() for previous in self.secret_key_previous))
        return tuple(hmac.digest(root, f"hortus {purpose}".encode(), "sha256") for root in roots)

    def refuse_unsafe(self) -> None:
        """Raise UnsafeSettings when this would listen to the world with a weak or placeholder secret."""
        if self.host in LOOPBACK:
            return
        given = {"SECRET_KEY": [self.secret_key], "SECRET_KEY_PREVIOUS": self.secret_key_previous}
        for name, listed in given.items():
            if any(_is_weak(secret.get_secret_value()) for secret in listed):
                raise UnsafeSettings(
                    f"{name} is short or a placeholder and the server would be public. "
                    "Set 32 random characters or more (`openssl rand -hex 32`), or unset it: Hortus then makes its own."
                )


def _is_weak(given: str) -> bool:
    return bool(given) and (len(given) < 32 or any(word in given.lower() for word in PLACEHOLDERS))


def _kept_secret(data_dir: Path) -> bytes:
    path = data_dir / "secret.key"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    text = path.read_text().strip()
    if len(text) < 32:
        raise UnsafeSettings(f"{path} is damaged. Restore it, or delete it to sign everybody out and start anew.")
    return text.encode()

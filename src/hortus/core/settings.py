"""The settings that several packages share, read from the environment and `.env`.

Each package and adapter declares its own settings beside its code, as a subclass of `SettingsGroup`.
"""

import hmac
import os
import re
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from limits import parse as parse_rate
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, StringConstraints

from hortus.core import secret_key
from hortus.core.configuration import (
    CommaSeparated,
    FilePath,
    Hidden,
    Json,
    Rule,
    Secret,
    SettingsGroup,
    Text,
    TimeZone,
    UnsafeSettings,
    WebAddress,
)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
RATE_LIMIT = "RATE_LIMIT_"
"""The prefix of the variables that override rate limits by name."""


def _rate_limits_from_environment() -> dict[str, str]:
    found = {**dotenv_values(".env"), **os.environ}
    return {
        name.removeprefix(RATE_LIMIT).lower(): value
        for name, value in found.items()
        if name.startswith(RATE_LIMIT) and value
    }


def _rate(value: str) -> str:
    parse_rate(value)
    return value


def _website(value: str) -> str:
    if "@" in urlsplit(value).netloc:
        raise ValueError("a URL without a user")
    return value


def _scheme(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and not value.startswith(tuple(f"{each}:" for each in allowed)):
            raise ValueError("scheme not allowed")
        _ = urlsplit(value).port if "//" in value else None  # raises ValueError for an invalid port
        return value

    return AfterValidator(check)


def is_safe_url(url: str) -> bool:
    """Whether a secret may be sent to this URL: https, or http to this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def _secure(value: str) -> str:
    if not is_safe_url(value):
        raise ValueError("not an https address")
    return value


SecureAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000),
    AfterValidator(_secure),
    Rule("an https:// address, or http:// on this machine, because secrets are sent there"),
]


def _network(value: str) -> str:
    ip_network(value, strict=False)
    return value


def _host_name(value: str) -> str:
    if value != "*" and not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(:\d{1,5})?", value):
        raise ValueError("not a host name")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Seconds = Annotated[float, Field(ge=0, le=86_400)]
DatabaseUrl = Annotated[
    str,
    _scheme("sqlite", "sqlite+aiosqlite", "postgresql", "postgresql+asyncpg", "postgres"),
    Rule("a sqlite:/// or postgresql:// address"),
    Hidden(),
]


class Settings(SettingsGroup):
    """Settings shared by several packages. Every default is safe and needs no key and no server."""

    heading: ClassVar[str] = "Server"
    sections: ClassVar[dict[str, str]] = {
        "data_dir": "Data, addresses and servers",
        "secret_key": "Secrets",
        "access_token_expire_minutes": "Signing in",
        "quota_timezone": "Limits",
        "admin_credit_limit": "Administration",
        "worker_concurrency": "Background work",
        "max_upload_bytes": "Files",
        "metrics_token": "Metrics, traces and error reports",
        "log_level": "Logs",
    }
    """The title of each section in `.env.example`, by its first field."""

    # Data, addresses and servers
    data_dir: FilePath = Field(Path("hortus-data"), validation_alias=AliasChoices("HORTUS_DATA", "data_dir"))
    """The folder of the SQLite database, the files and the secret key."""
    database_url: DatabaseUrl = Field("", validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    """`postgresql://user:password@host/name` for PostgreSQL; SQLite in the data folder when unset."""
    database_pool_size: int = Field(10, ge=1, le=1000)
    """Size of the connection pool of one process."""
    database_pool_overflow: int | None = Field(None, ge=0, le=1000)
    """Connections beyond the pool under load; the size of the pool unless set."""
    database_pool_wait_seconds: float = Field(10.0, gt=0, le=120)
    """How long a request waits for a free connection."""
    database_statement_seconds: Seconds = 30.0
    """Statement timeout of servers on PostgreSQL; 0 disables it, here and below."""
    database_worker_statement_seconds: Seconds = 120.0
    """Statement timeout of workers."""
    database_lock_seconds: Seconds = 10.0
    """Lock timeout of statements."""
    database_idle_seconds: Seconds = 60.0
    """Idle-in-transaction timeout: PostgreSQL ends a transaction that is idle for longer."""
    database_migration_lock_seconds: float = Field(3.0, gt=0, le=3600)
    """How long a migration waits for a lock on a table before it releases its locks and tries again."""
    database_pgbouncer: bool = False
    """Whether DATABASE_URL is a PgBouncer in transaction mode, or a similar pooler."""
    database_replica_url: Annotated[
        str, _scheme("postgresql", "postgresql+asyncpg", "postgres"), Rule("a postgresql:// address"), Hidden()
    ] = ""
    """A streaming replica for older pages of histories; see docs/operators/postgresql.md."""
    redis_url: Annotated[
        str, _scheme("redis", "rediss", "unix"), Rule("a redis://, rediss:// (TLS) or unix:// address"), Hidden()
    ] = Field("", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    """Shared by several processes: rate limits, cache versions, live events. Never money, never quotas."""
    redis_prefix: Annotated[
        str,
        StringConstraints(max_length=100, pattern=r"^[!-~]*$"),
        Rule("at most 100 printable ASCII characters without spaces"),
    ] = "hortus:"
    """The prefix of every key, for a Redis that other systems use too."""
    redis_timeout_seconds: float = Field(0.25, gt=0, le=5)
    """Timeout of Redis. After one timeout it is not used until a probe succeeds."""
    celery_broker_url: Annotated[
        str,
        _scheme("redis", "rediss", "amqp", "amqps", "pyamqp"),
        Rule("a redis://, rediss://, amqp:// or amqps:// address"),
        Hidden(),
    ] = ""
    """`redis://…` (Valkey, Redis) or `amqp://…` (RabbitMQ): notifies workers of new tasks."""
    host: Annotated[
        str,
        StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9.:%_-]{1,253}$"),
        Rule("an address of this machine, such as 127.0.0.1 or 0.0.0.0"),
    ] = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for all of them."""
    port: int = Field(8000, ge=0, le=65_535)
    """The port to listen on; 0 for any free one."""
    public_url: Annotated[WebAddress, AfterValidator(_website)] = Field(
        "", validation_alias=AliasChoices("PUBLIC_URL", "RENDER_EXTERNAL_URL", "public_url")
    )
    """The public address of this server: the base of links in messages and of callback URLs at vendors."""
    frontend_base_url: Annotated[WebAddress, AfterValidator(_website)] = ""
    """The address of your front end; it may call the API from browsers (CORS)."""
    allowed_hosts: Annotated[
        list[Annotated[str, AfterValidator(_host_name)]], *CommaSeparated, Rule("host names with commas between them")
    ] = Field(default_factory=list)
    """The host names that are served, separated by commas; any when unset."""
    trusted_proxies: Annotated[
        list[Annotated[str, AfterValidator(_network)]],
        *CommaSeparated,
        Rule("addresses or networks such as 10.0.0.0/8, with commas between them"),
    ] = Field(default_factory=list)
    """Addresses or networks of proxies whose `X-Forwarded-For` is trusted, such as `10.0.0.0/8`."""
    catalog_path: FilePath | None = None
    """Your own catalogue of models and prices instead of the built-in one."""

    # Secrets
    secret_key: Secret = Field(SecretStr(""), validation_alias=AliasChoices("SECRET_KEY", "JWT_SECRET", "secret_key"))
    """At least 32 random characters (`openssl rand -hex 32`); generated in the data folder when unset."""
    secret_key_previous: Annotated[list[Secret], *CommaSeparated, Rule("secrets with commas between them")] = Field(
        default_factory=list
    )
    """Former values of SECRET_KEY: they still verify and decrypt, and are not used for new data."""

    # Signing in
    access_token_expire_minutes: int = Field(15, ge=1, le=1440)
    """Lifetime of an access token."""
    refresh_token_expire_days: int = Field(30, ge=1, le=3650)
    """How long a session lasts without a request."""
    principal_cache_seconds: float | None = Field(None, ge=0, le=300)
    """How long a process may cache a session; with 0 every call reads the database.

    Unset: 0, or two seconds with Redis, which notifies every process of changes; with Redis at most two seconds.
    """
    require_admin_second_factor: bool = False
    """Whether admin routes require a session with two factors."""
    passkey_rp_id: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9.-]{1,253})?$"), Rule("a host name")] = ""
    """The relying party id of passkeys if it is a parent of the host of FRONTEND_BASE_URL or PUBLIC_URL: with
    `example.com`, pages of `app.example.com` can use them. A change invalidates existing passkeys."""

    # Limits
    quota_timezone: TimeZone = "UTC"
    """The time zone of daily and monthly limits."""
    basic_daily_limit: int | None = Field(None, ge=0, le=1_000_000_000)
    """Chat messages a day on the plan Basic; 5 when unset."""
    pro_daily_limit: int | None = Field(None, ge=0, le=1_000_000_000)
    """Chat messages a day on the plan Pro; 1000 when unset."""
    rate_limits_enabled: bool = True
    """Short-term limits; quotas and credits are never turned off."""
    sign_up: Literal["instant", "verify_first"] = "instant"
    """`verify_first` creates the account once a mailed code is entered, with one response for all addresses."""
    rate_limits: Annotated[
        dict[str, Annotated[str, AfterValidator(_rate)]], *Json, Rule("a rate such as 5/minute or 100/hour")
    ] = Field(default_factory=_rate_limits_from_environment, validate_default=True)
    """Overrides by name in lower case: `RATE_LIMIT_REGISTER=5/minute` is `{"register": "5/minute"}`."""

    # Administration
    admin_credit_limit: int = Field(1000, ge=0, le=1_000_000_000)
    """Credits that one administrator may grant within 24 hours; more need the approval of another."""

    # Background work
    worker_concurrency: int = Field(8, ge=1, le=1000)
    """Tasks that one process runs at once."""
    worker_queues: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_=, -]{0,300}$"),
        Rule("queues with commas between them, such as media=4,mail"),
    ] = ""
    """The queues a process serves, and how many tasks of each at once: `media=4,mail`. Empty means all."""
    worker_schedules: bool = True
    """Whether workers also run the scheduler; any number of them may."""
    shutdown_grace_seconds: float = Field(10.0, ge=0, le=3600)
    """How long running tasks may continue once a process is stopped."""
    shutdown_drain_seconds: float = Field(0.0, ge=0, le=600)
    """How long a stopping server still serves while `/health/ready` already fails, so that the load balancer can
    remove it: twice the interval of its checks."""
    lease_seconds: int = Field(30, ge=1, le=3600)
    """Lease of a task: without a heartbeat of its worker for so long, another worker takes it over."""
    chat_context_messages: int = Field(10, ge=1, le=1000)
    """Maximum number of messages of a conversation in the context of a model."""
    chat_context_tokens: int = Field(8000, ge=1, le=10_000_000)
    """Maximum number of tokens of a conversation in the context of a model, estimated."""
    chatroom_cache_ttl: int = Field(300, ge=1, le=86_400)
    """Seconds for which lists of chatrooms are cached."""
    text_deadline_seconds: int = Field(120, ge=1, le=86_400)
    """Time limit of a text."""
    image_deadline_seconds: int = Field(300, ge=1, le=86_400)
    """Time limit of an image."""
    video_deadline_seconds: int = Field(1200, ge=1, le=86_400)
    """Time limit of a video."""

    # Files
    max_upload_bytes: int = Field(25 * 1024 * 1024, ge=1, le=10 * 1024**3)
    """Maximum size of an uploaded file."""
    max_image_pixels: int = Field(50_000_000, ge=1, le=1_000_000_000)
    """The largest image that is decoded, in pixels."""
    enhance_max_side: int = Field(0, ge=0, le=100_000)
    """`enhance=true` scales an image down to this many pixels a side; 0 keeps its size."""
    file_link_seconds: int = Field(900, ge=1, le=604_800)
    """Lifetime of a signed link to a file."""
    file_retention_days: int = Field(30, ge=1, le=36_500)
    """How long uploaded files are kept."""

    # Metrics, traces and error reports
    metrics_token: Secret = SecretStr("")
    """Bearer token required for `/metrics`; without it only this machine and private networks have access."""
    worker_metrics_port: int = Field(0, ge=0, le=65_535)
    """The port of `/metrics` and `/health` of a worker or scheduler; 0 disables both. One port per process and host."""
    worker_metrics_host: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9.:%_-]{1,253}$"),
        Rule("an address of this machine, such as 127.0.0.1 or 0.0.0.0"),
    ] = "127.0.0.1"
    """The address to listen on for them; `0.0.0.0` in a container."""
    otel_exporter_otlp_endpoint: WebAddress = ""
    """The collector of traces, such as `http://collector:4318` (OTLP over HTTP); empty disables tracing."""
    otel_service_name: Text = "hortus"
    """The name of this service in traces."""
    sentry_dsn: Secret = SecretStr("")
    """The Sentry DSN for error reports; empty disables them."""
    sentry_environment: Text = "production"
    """The name of this installation in error reports."""

    # Logs
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    """The lowest level that is logged."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` writes readable lines on a terminal, and JSON elsewhere."""

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

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of quota windows."""
        return ZoneInfo(self.quota_timezone)

    @property
    def database(self) -> str:
        """The URL of the database; a file in `data_dir` unless set."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'hortus.db'}"

    @property
    def origin(self) -> str:
        """The public address of this installation, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @cached_property
    def key(self) -> bytes:
        """The secret of the installation; generated once in `data_dir` if none is set."""
        given = self.secret_key.get_secret_value()
        return given.encode() if given else secret_key.load_or_create(self.data_dir)

    def keys_for(self, purpose: str) -> tuple[bytes, ...]:
        """Keys derived for one purpose. Sign and encrypt with the first; verify and decrypt with any."""
        roots = (self.key, *(previous.get_secret_value().encode() for previous in self.secret_key_previous))
        return tuple(hmac.digest(root, f"hortus {purpose}".encode(), "sha256") for root in roots)

    def refuse_unsafe(self) -> None:
        """Raise UnsafeSettings if the server would listen publicly with a weak or placeholder secret."""
        if self.host in LOOPBACK:
            return
        given = {"SECRET_KEY": [self.secret_key], "SECRET_KEY_PREVIOUS": self.secret_key_previous}
        for name, listed in given.items():
            if any(secret_key.is_weak(secret.get_secret_value()) for secret in listed):
                raise UnsafeSettings(
                    f"{name} must have at least 32 random characters, since HOST makes the server public; it is short "
                    "or a placeholder. Set one (`openssl rand -hex 32`), or unset it: Hortus then generates its own."
                )

"""The settings that several packages share, read from the environment and `.env`.

Each package and adapter declares its own settings beside its code, as a subclass of `SettingsGroup`.
"""

import hmac
import os
import re
import secrets
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from limits import parse as parse_rate
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, StringConstraints

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
    WebAddress,
)

PLACEHOLDERS = ("change", "your-", "your_", "secret", "example", "placeholder", "password", "test", "dev")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
RATE_LIMIT = "RATE_LIMIT_"
"""The prefix of the variables that override rate limits by name."""


class UnsafeSettings(Exception):
    """The settings would expose an installation; start-up stops here with a sentence for the operator."""


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
        raise ValueError("no user belongs here")
    return value


def _scheme(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and not value.startswith(tuple(f"{each}:" for each in allowed)):
            raise ValueError("another scheme")
        _ = urlsplit(value).port if "//" in value else None  # raises ValueError for one that is no port
        return value

    return AfterValidator(check)


def is_safe_url(url: str) -> bool:
    """Whether a secret may be sent there: https, or http to this machine itself."""
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
        raise ValueError("no https address")
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
        raise ValueError("no host name")
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
    """What several packages share. Every default is safe and needs no key and no server."""

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
    """Connections that one process keeps."""
    database_pool_overflow: int | None = Field(None, ge=0, le=1000)
    """Connections beyond the pool for a rush; as many as the pool again, unless set."""
    database_pool_wait_seconds: float = Field(10.0, gt=0, le=120)
    """How long a request waits for a free connection."""
    database_statement_seconds: Seconds = 30.0
    """How long one statement of a server may take on PostgreSQL; 0 is without end, here and below."""
    database_worker_statement_seconds: Seconds = 120.0
    """The same for a worker."""
    database_lock_seconds: Seconds = 10.0
    """How long a statement waits for a lock."""
    database_idle_seconds: Seconds = 60.0
    """How long a transaction may stay open with nothing asked before PostgreSQL ends it."""
    database_migration_lock_seconds: float = Field(3.0, gt=0, le=3600)
    """How long a migration waits for a table before it steps back, lets others pass, and tries again."""
    database_pgbouncer: bool = False
    """DATABASE_URL leads to PgBouncer in transaction mode, or a pooler like it."""
    database_replica_url: Annotated[
        str, _scheme("postgresql", "postgresql+asyncpg", "postgres"), Rule("a postgresql:// address"), Hidden()
    ] = ""
    """A streaming replica for older pages of histories; what it may answer is in docs/operators/postgresql.md."""
    redis_url: Annotated[
        str, _scheme("redis", "rediss", "unix"), Rule("a redis://, rediss:// (TLS) or unix:// address"), Hidden()
    ] = Field("", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    """Shared by several processes: rate limits, what caches may rely on, live events. Never money, never quotas."""
    redis_prefix: Annotated[
        str,
        StringConstraints(max_length=100, pattern=r"^[!-~]*$"),
        Rule("at most 100 printable ASCII characters without spaces"),
    ] = "hortus:"
    """The beginning of every key, for a Redis that other systems use too."""
    redis_timeout_seconds: float = Field(0.25, gt=0, le=5)
    """How long one request waits for Redis at most, once; then it is left alone until a probe finds it well."""
    celery_broker_url: Annotated[
        str,
        _scheme("redis", "rediss", "amqp", "amqps", "pyamqp"),
        Rule("a redis://, rediss://, amqp:// or amqps:// address"),
        Hidden(),
    ] = ""
    """`redis://…` (Valkey, Redis) or `amqp://…` (RabbitMQ): carries the news of new tasks to workers elsewhere."""
    host: Annotated[
        str,
        StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9.:%_-]{1,253}$"),
        Rule("an address of this machine, such as 127.0.0.1 or 0.0.0.0"),
    ] = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for all of them."""
    port: int = Field(8000, ge=0, le=65_535)
    """The port to listen on; 0 takes a free one."""
    public_url: Annotated[WebAddress, AfterValidator(_website)] = Field(
        "", validation_alias=AliasChoices("PUBLIC_URL", "RENDER_EXTERNAL_URL", "public_url")
    )
    """Where others reach this server; links in messages and callbacks of vendors begin with it."""
    frontend_base_url: Annotated[WebAddress, AfterValidator(_website)] = ""
    """Where your front end is; it may call the API from browsers (CORS)."""
    allowed_hosts: Annotated[
        list[Annotated[str, AfterValidator(_host_name)]], *CommaSeparated, Rule("host names with commas between them")
    ] = Field(default_factory=list)
    """The host names to answer to, with commas; any when unset."""
    trusted_proxies: Annotated[
        list[Annotated[str, AfterValidator(_network)]],
        *CommaSeparated,
        Rule("addresses or networks such as 10.0.0.0/8, with commas between them"),
    ] = Field(default_factory=list)
    """Addresses or networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`."""
    catalog_path: FilePath | None = None
    """Your own catalogue of models and prices instead of the built-in one."""

    # Secrets
    secret_key: Secret = Field(SecretStr(""), validation_alias=AliasChoices("SECRET_KEY", "JWT_SECRET", "secret_key"))
    """At least 32 random characters (`openssl rand -hex 32`); made and kept in the data folder when unset."""
    secret_key_previous: Annotated[list[Secret], *CommaSeparated, Rule("secrets with commas between them")] = Field(
        default_factory=list
    )
    """Secrets that were SECRET_KEY before: what they signed is still good, nothing new is signed with them."""

    # Signing in
    access_token_expire_minutes: int = Field(15, ge=1, le=1440)
    """How long an access token is good."""
    refresh_token_expire_days: int = Field(30, ge=1, le=3650)
    """How long somebody stays signed in without using the service."""
    principal_cache_seconds: float | None = Field(None, ge=0, le=300)
    """How long one process may trust what it knows of a session; 0 asks the database at every call.

    Unset: 0, or with Redis, which tells every process of a change, two seconds; with Redis never longer.
    """
    require_admin_second_factor: bool = False
    """Whether an administrator must have proved two factors before any admin route answers."""
    passkey_rp_id: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9.-]{1,253})?$"), Rule("a host name")] = ""
    """The host name for which passkeys are made, when it is not that of FRONTEND_BASE_URL or PUBLIC_URL but one above
    it: `example.com` lets pages of `app.example.com` use them. Passkeys made before a change stop working."""

    # Limits
    quota_timezone: TimeZone = "UTC"
    """The calendar of daily and monthly limits."""
    basic_daily_limit: int | None = Field(None, ge=0, le=1_000_000_000)
    """Chat messages a day on the plan Basic; 5 when unset."""
    pro_daily_limit: int | None = Field(None, ge=0, le=1_000_000_000)
    """Chat messages a day on the plan Pro; 1000 when unset."""
    rate_limits_enabled: bool = True
    """Short-term limits; quotas and credits are never turned off."""
    sign_up: Literal["instant", "verify_first"] = "instant"
    """`verify_first` makes the account once a mailed code came back, and answers all addresses alike."""
    rate_limits: Annotated[
        dict[str, Annotated[str, AfterValidator(_rate)]], *Json, Rule("a rate such as 5/minute or 100/hour")
    ] = Field(default_factory=_rate_limits_from_environment, validate_default=True)
    """Overrides by name in lower case: `RATE_LIMIT_REGISTER=5/minute` is `{"register": "5/minute"}`."""

    # Administration
    admin_credit_limit: int = Field(1000, ge=0, le=1_000_000_000)
    """Credits that one administrator may give alone within 24 hours; above, another one must approve."""

    # Background work
    worker_concurrency: int = Field(8, ge=1, le=1000)
    """Tasks that one process works on at once."""
    worker_queues: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_=, -]{0,300}$"),
        Rule("queues with commas between them, such as media=4,mail"),
    ] = ""
    """The queues a process serves, and how many tasks of each at once: `media=4,mail`. Empty means all."""
    worker_schedules: bool = True
    """Whether workers also do what `hortus scheduler` does; any number of them may."""
    shutdown_grace_seconds: float = Field(10.0, ge=0, le=3600)
    """How long running tasks may go on once a process is told to stop."""
    shutdown_drain_seconds: float = Field(0.0, ge=0, le=600)
    """For how long a server that is told to stop still serves while `/health/ready` already says no, so that
    whatever balances the load has time to notice: twice the interval of its checks."""
    lease_seconds: int = Field(30, ge=1, le=3600)
    """How long a task stays with a worker that shows no life; then another one takes it."""
    chat_context_messages: int = Field(10, ge=1, le=1000)
    """Messages of a conversation that a model is shown at most."""
    chat_context_tokens: int = Field(8000, ge=1, le=10_000_000)
    """Tokens of a conversation that a model is shown at most, by estimate."""
    chatroom_cache_ttl: int = Field(300, ge=1, le=86_400)
    """Seconds for which lists of rooms are kept in memory."""
    text_deadline_seconds: int = Field(120, ge=1, le=86_400)
    """How long a text may take."""
    image_deadline_seconds: int = Field(300, ge=1, le=86_400)
    """How long an image may take."""
    video_deadline_seconds: int = Field(1200, ge=1, le=86_400)
    """How long a video may take."""

    # Files
    max_upload_bytes: int = Field(25 * 1024 * 1024, ge=1, le=10 * 1024**3)
    """The largest file that may be uploaded."""
    max_image_pixels: int = Field(50_000_000, ge=1, le=1_000_000_000)
    """The largest image that is decoded, in pixels."""
    enhance_max_side: int = Field(0, ge=0, le=100_000)
    """`enhance=true` scales an image down to this many pixels a side; 0: it keeps its size."""
    file_link_seconds: int = Field(900, ge=1, le=604_800)
    """How long a signed link to a file is good."""
    file_retention_days: int = Field(30, ge=1, le=36_500)
    """How long uploaded files are kept."""

    # Metrics, traces and error reports
    metrics_token: Secret = SecretStr("")
    """Whoever asks for `/metrics` must bear it; without one only this machine and private networks may ask."""
    worker_metrics_port: int = Field(0, ge=0, le=65_535)
    """Where a worker or a scheduler tells `/metrics` and `/health`; 0 serves neither. One port per process and host."""
    worker_metrics_host: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9.:%_-]{1,253}$"),
        Rule("an address of this machine, such as 127.0.0.1 or 0.0.0.0"),
    ] = "127.0.0.1"
    """The address to listen on for them; `0.0.0.0` in a container."""
    otel_exporter_otlp_endpoint: WebAddress = ""
    """Where traces go, such as `http://collector:4318` (OTLP over HTTP); empty makes none."""
    otel_service_name: Text = "hortus"
    """The name of this service in traces."""
    sentry_dsn: Secret = SecretStr("")
    """Where errors are reported; empty reports none."""
    sentry_environment: Text = "production"
    """The name of this installation in error reports."""

    # Logs
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    """Lines below this level are left out."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` writes lines for people on a terminal, and JSON elsewhere."""

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

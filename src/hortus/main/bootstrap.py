"""Open everything a process needs, in order, and close it again."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial

import structlog

from hortus import (
    accounts,
    admin,
    auth,
    billing,
    chat,
    generation,
    invoicing,
    ledger,
    payments,
    privacy,
    quotas,
    routing,
    senders,
    tasks,
)
from hortus.billing import tasks as billing_tasks
from hortus.core import shared_settings
from hortus.core.cache import LEASE_SECONDS, CacheVersions, LocalCacheVersions, RedisCacheVersions
from hortus.core.configuration import Configuration
from hortus.core.db import Database, Tx, TxContext
from hortus.core.events import Bus
from hortus.core.events.redis_transport import RedisEventTransport
from hortus.core.http import Http
from hortus.core.rate_limits import Limiter
from hortus.core.redis import Redis
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation.usage import usage_of
from hortus.main import inventory, periodic, single_process
from hortus.ops import business_metrics
from hortus.ops import configuration as configurations
from hortus.ops.databases import Role, open_database
from hortus.ops.otel import export_traces
from hortus.ops.sentry import report_errors
from hortus.providers import Context, Registry, discover
from hortus.storage import LocalStorage, Storage
from hortus.tasks import EmbeddedEngine
from hortus.tasks.concurrency import slots_by_queue

log = structlog.get_logger()


@asynccontextmanager
async def open_app(
    settings: Settings, *, work: bool, registry: Registry | None = None, role: Role = "server"
) -> AsyncIterator[Resources]:
    """Everything this process needs; with `work` it also runs tasks. `registry` replaces the providers found."""
    inventory.check()
    async with (
        export_traces(settings),
        report_errors(settings),
        _opened(settings, work=work, registry=registry, role=role) as resources,
        _worker_http(settings, resources, role),
    ):
        yield resources


def _worker_http(settings: Settings, resources: Resources, role: Role) -> AbstractAsyncContextManager[None]:
    if role != "worker" or not settings.worker_metrics_port:
        return nullcontext()
    from hortus.ops.worker_http import serve_worker_http  # noqa: PLC0415 - a worker without a page needs no server

    return serve_worker_http(settings, resources)


def _service_names(settings: Settings, configuration: Configuration) -> list[str]:
    """The names by which customers know this installation."""
    brand, seller = configuration.get(senders.MessageSettings), configuration.get(invoicing.InvoiceSettings)
    return auth.service_names(settings, brand.brand, seller.invoice_seller_name)


@asynccontextmanager
async def _opened(settings: Settings, *, work: bool, registry: Registry | None, role: Role) -> AsyncIterator[Resources]:
    configuration = configurations.read(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = open_database(settings, role)
    async with _closed(database), Http() as http, _redis(settings) as redis, _relay(redis) as relay:
        bus = Bus(relay)
        shared: CacheVersions = LocalCacheVersions() if redis is None else RedisCacheVersions(redis)
        database.context = TxContext(configuration, shared, bus)
        resources = Resources(
            *configuration,
            database,
            bus,
            http,
            Limiter(settings, redis),
            auth.AccessTokens(settings),
            auth.PasswordPool(),
            auth.PasswordPolicy(
                settings, http, configuration.get(auth.BreachSettings), _service_names(settings, configuration)
            ),
            auth.Throttle(settings),
            auth.DeviceCookie(settings),
            accounts.PrincipalCache(_trust(settings), shared),
            accounts.ProfileExtensions(quotas.plan_name, partial(usage_of, settings=settings)),
            routing.load(settings.catalog_path),
            routing.OfferHealth(),
            auth.KeyUseRecorder(database),
        )
        if redis is not None:
            resources.add(redis)
        _add_messages(resources, configuration, http)
        resources.add(LocalStorage(settings.data_dir / "files"), Storage)
        resources.add(registry or discover(Context(http, settings.data_dir)), Registry)
        resources.add(invoicing.PdfRenderer())
        resources.add(billing.GatewaySync(database, billing.apply_events))
        resources.add(payments.discover(payments.GatewayContext(http, settings, database)))
        _connect_signals()
        slots = slots_by_queue(settings.worker_queues, settings.worker_concurrency) if work else {}
        kind = tasks.SERVER if role == "server" else None
        engine = EmbeddedEngine(
            resources,
            slots=slots,
            lease=settings.lease_seconds,
            kind=kind,
            settings=shared_settings.shared_values(settings),
        )
        async with (
            _open_notifier(settings, resources) as remind,
            chat.open_chat(database, settings, bus, shared, resources) as chat_state,
            generation.open_generation(
                database, settings, bus, shared, resources[Registry], engine, chat.read_conversation
            ) as generation_state,
        ):
            resources.add(chat_state)
            resources.add(generation_state)
            scheduler = tasks.Scheduler(database, periodic.PERIODIC, poll=1.0 if remind else 5.0, remind=remind)
            resources.add(scheduler)
            resources.add(engine, EmbeddedEngine)
            async with database.transaction() as tx:
                await quotas.ensure_plans(tx, settings, configuration.get(quotas.PlanSettings))
                await billing.ensure_packs(tx)
            await _compare_settings(settings, database, role)
            async with (
                routing.follow_toggles(database, resources[routing.OfferHealth], resources[Registry]),
                _working(engine, scheduler, schedule=work, grace=settings.shutdown_grace_seconds),
                single_process.watch_peers(bus, database, engine.worker) if work and redis is None else nullcontext(),
            ):
                inventory.note()
                yield resources
            await resources[auth.KeyUseRecorder].close()


@asynccontextmanager
async def _closed(database: Database) -> AsyncIterator[None]:
    """Close the database at the end, also when something else cannot be opened: its threads would outlive the error."""
    try:
        yield
    finally:
        await database.close()


def _add_messages(resources: Resources, configuration: Configuration, http: Http) -> None:
    """Senders, one-time codes and issuers."""
    resources.add(senders.select_senders(configuration, http))
    resources.add(auth.OidcProviders(configuration.get(auth.ConfiguredIssuers).providers, http))
    resources.add(configuration.derived(auth.otp_hasher_of))


async def _compare_settings(settings: Settings, database: Database, role: Role) -> None:
    """Log each setting that must be equal in all processes and differs from that of a process which runs now."""
    if role not in ("server", "worker"):
        return
    async with database.snapshot() as tx:
        others = await tasks.processes(tx)
    for other in others:
        for sentence in shared_settings.differences(settings, other.settings or {}, f"the {other.kind} {other.name}"):
            log.warning("settings_differ", hint=sentence)


def _connect_signals() -> None:
    """Let packages react to what happens in others; again is fine."""
    accounts.staff_created.connect(_log_staff)
    accounts.signup_bonus_due.connect(_grant_signup_bonus)
    auth.role_granted_by_issuer.connect(_log_role)
    accounts.consent_changed.connect(privacy.record_consent)
    accounts.account_reopened.connect(privacy.cancel_deletion)
    business_metrics.connect()
    billing_tasks.connect_signals()


@asynccontextmanager
async def _working(
    engine: EmbeddedEngine, scheduler: tasks.Scheduler, *, schedule: bool, grace: float
) -> AsyncIterator[None]:
    """Claim work, and with `schedule` look at the clock, until the end of the block."""
    await engine.start()
    if schedule:
        await scheduler.start()
    try:
        yield
    finally:
        await scheduler.stop()
        await engine.stop(grace)


@asynccontextmanager
async def _open_notifier(settings: Settings, resources: Resources) -> AsyncIterator[tasks.Remind | None]:
    """With a broker, workers elsewhere are told of new tasks."""
    if not settings.celery_broker_url:
        yield None
        return
    from hortus.tasks.engines.celery_broker import Notifier, make_app  # noqa: PLC0415 - Celery is loaded only where it is used

    notifier = Notifier(make_app(settings.celery_broker_url, {}))
    resources.add(notifier)
    notifier.start()
    try:
        yield notifier.remind
    finally:
        await notifier.stop()


@asynccontextmanager
async def _redis(settings: Settings) -> AsyncIterator[Redis | None]:
    """The link to Redis when there is a URL; it need not answer now."""
    if not settings.redis_url:
        yield None
        return
    redis = Redis(settings.redis_url, prefix=settings.redis_prefix, timeout=settings.redis_timeout_seconds)
    await redis.open()
    try:
        yield redis
    finally:
        await redis.close()


@asynccontextmanager
async def _relay(redis: Redis | None) -> AsyncIterator[RedisEventTransport | None]:
    """With Redis, what happens in one process is told in all of them."""
    if redis is None:
        yield None
        return
    relay = RedisEventTransport(redis)
    relay.open()
    try:
        yield relay
    finally:
        await relay.close()


def _trust(settings: Settings) -> float:
    """Seconds for which a caller may be remembered."""
    if settings.principal_cache_seconds is not None:
        return settings.principal_cache_seconds
    return LEASE_SECONDS if settings.redis_url else 0.0


async def _grant_signup_bonus(tx: Tx, user_id: str) -> None:
    await ledger.grant_signup_bonus(tx, user_id)


async def _log_role(tx: Tx, given: auth.RoleGrant) -> None:
    """By the claim of an issuer that the operator has configured for that."""
    details = {"role": given.role, "issuer": given.issuer}
    await admin.record(tx, admin.Actor(None, "issuer"), "user.role_by_issuer", ("user", given.user_id), details)


async def _log_staff(tx: Tx, made: tuple[str, str]) -> None:
    """With the setup token or at the console: nobody is signed in who could be named."""
    await admin.record(tx, admin.CONSOLE, "user.made_staff", ("user", made[0]), {"role": made[1]})

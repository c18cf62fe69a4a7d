"""Start-up: opens what a process consists of, in order, and closes it in reverse."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial

from hortus import accounts, auth, billing, chat, generation, invoicing, payments, quotas, routing, senders, tasks
from hortus.core.cache import open_cache_versions
from hortus.core.db import TxContext
from hortus.core.events import Bus
from hortus.core.events.redis_transport import open_event_transport
from hortus.core.http import Http
from hortus.core.rate_limits import Limiter
from hortus.core.redis import Redis, open_redis
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.generation.usage import usage_of
from hortus.main import inventory, periodic, single_process
from hortus.main.signals import connect_signals
from hortus.ops import configuration as configurations
from hortus.ops.databases import Role, open_database
from hortus.ops.otel import export_traces
from hortus.ops.peer_settings import warn_of_differences
from hortus.ops.sentry import report_errors
from hortus.providers import Context, Registry, discover
from hortus.storage import LocalStorage, Storage
from hortus.tasks import EmbeddedEngine


@asynccontextmanager
async def open_app(
    settings: Settings, *, work: bool, registry: Registry | None = None, role: Role = "server"
) -> AsyncIterator[Resources]:
    """Everything this process needs; with `work` it also runs tasks. `registry` replaces the providers found."""
    inventory.check()
    connect_signals()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(export_traces(settings))
        await enter(report_errors(settings))
        configuration = configurations.read(settings)
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = open_database(settings, role)
        stack.push_async_callback(database.close)  # first, since its threads would outlive an error below
        http, redis = await enter(Http()), await enter(open_redis(settings))
        bus, versions = Bus(await enter(open_event_transport(redis))), open_cache_versions(redis)
        database.context = TxContext(configuration, versions, bus)

        resources = Resources(*configuration, database, bus, http, Limiter(settings, redis))
        if redis is not None:
            resources.add(redis, Redis)
        resources.add(LocalStorage(settings.data_dir / "files"), Storage)
        resources.add(registry or discover(Context(http, settings.data_dir)), Registry)
        resources.add(routing.load(settings.catalog_path))
        resources.add(routing.OfferHealth())
        resources.add(senders.select_senders(configuration, http))
        resources.add(payments.discover(payments.GatewayContext(http, settings, database)))
        resources.add(invoicing.PdfRenderer())
        resources.add(billing.GatewaySync(database, billing.apply_events))
        resources.add(accounts.ProfileExtensions(quotas.plan_name, partial(usage_of, settings=settings)))
        names = [configuration.get(senders.MessageSettings).brand, invoicing.seller_name(configuration)]
        for each in await enter(auth.open_auth(configuration, database, http, versions, service_names=names)):
            resources.add(each)

        engine = tasks.embedded_engine(resources, settings, work=work, server=role == "server")
        remind = await enter(tasks.open_notifier(settings, resources))
        scheduler = tasks.Scheduler(database, periodic.PERIODIC, poll=1.0 if remind else 5.0, remind=remind)
        resources.add(engine, EmbeddedEngine)
        resources.add(scheduler)
        resources.add(await enter(chat.open_chat(database, settings, bus, versions, resources)))
        opened = generation.open_generation(
            database, settings, bus, versions, resources[Registry], engine, chat.read_conversation
        )
        resources.add(await enter(opened))
        async with database.transaction() as tx:
            await quotas.ensure_plans(tx, settings, configuration.get(quotas.PlanSettings))
            await billing.ensure_packs(tx)
        await warn_of_differences(settings, database, role)
        await enter(routing.follow_toggles(database, resources[routing.OfferHealth], resources[Registry]))
        await enter(tasks.run_engine(engine, scheduler, schedule=work, grace=settings.shutdown_grace_seconds))
        if work and redis is None:
            await enter(single_process.watch_peers(bus, database, engine.worker))
        await enter(_worker_http(settings, resources, role))
        inventory.note()
        yield resources


def _worker_http(settings: Settings, resources: Resources, role: Role) -> AbstractAsyncContextManager[None]:
    if role != "worker" or not settings.worker_metrics_port:
        return nullcontext()
    from hortus.ops.worker_http import serve_worker_http  # noqa: PLC0415 - a worker without a page needs no server

    return serve_worker_http(settings, resources)

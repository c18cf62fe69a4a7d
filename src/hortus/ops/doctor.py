"""The findings of `hortus doctor`: what is configured, reachable and missing, one line each, with the remedy."""

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import Connection, inspect, make_url, text

from hortus import auth, payments, providers, routing, senders, tasks
from hortus.admin import Finding
from hortus.core.configuration import Configuration
from hortus.core.configuration import Finding as SettingFinding
from hortus.core.db import Tx
from hortus.core.errors import Problem
from hortus.core.http import Http
from hortus.core.redis import Redis, RedisDown
from hortus.core.settings import LOOPBACK, Settings
from hortus.core.shared_settings import differences
from hortus.ops import configuration, migrations
from hortus.ops.databases import open_database
from hortus.ops.encryption_checks import encryption
from hortus.ops.preflight import NotStarted, reason_of
from hortus.providers import Context, Registry, discover

T = TypeVar("T")
SMALL_DISK = 1024**3
VENDOR_SECONDS = 30.0
"""How long one vendor may take to answer `--check-vendors`."""


async def examine(settings: Settings, *, ask_vendors: bool = False) -> list[Finding]:
    """Every finding. Changes nothing, and calls no vendor unless `ask_vendors`."""
    read, wrong = configuration.examine(settings)
    found = broken_settings(wrong)
    found += _unread()
    found += [_data(settings), await _database(settings), _secret(settings), _address(settings), await _redis(settings)]
    found += _placeholders(read)
    found += [Finding("ok" if enough else "missing", "encryption", line) for enough, line in await encryption(settings)]
    async with Http() as http:
        registry = discover(Context(http, settings.data_dir))
        found += _providers(registry)
        found += await _refusals(settings)
        found += _offers(settings, registry)
        found += _senders(settings, read, http)
        found += _gateways(settings, http)
        if ask_vendors:
            found += await check_vendors(settings, read, registry, http)
    found += _issuers(settings, read)
    found += await _processes(settings)
    found += [
        Finding("missing", "virus scan", "no scanner in this version; uploads are decoded and encoded anew"),
    ]
    return found


def broken_settings(wrong: Iterable[SettingFinding]) -> list[Finding]:
    """A line for each variable that breaks its rule; no process starts with one."""
    return [Finding("broken", "setting", each.sentence) for each in wrong]


def _unread() -> list[Finding]:
    """Variables that look like ours and are not read."""
    found = []
    for name, near in configuration.unread():
        hint = f"; did you mean {near}?" if near else ""
        found.append(Finding("missing", "unread variable", f"nothing reads {name}{hint}"))
    return found


def _placeholders(read: Configuration) -> list[Finding]:
    return [
        Finding("missing", "placeholder", f"{name} is a placeholder from an example; set a value of your own")
        for name in configuration.placeholders(read)
    ]


def _address(settings: Settings) -> Finding:
    return Finding("ok", "address", f"HOST {settings.host}, PORT {settings.port}; links begin with {settings.origin}")


def _data(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding("broken", "data folder", f"{folder} is not writable; set HORTUS_DATA or --data")
    free = shutil.disk_usage(existing).free
    state: Literal["ok", "broken"] = "ok" if free > SMALL_DISK else "broken"
    return Finding(state, "data folder", f"{folder}, {free // 1024**3} GiB free")


async def _database(settings: Settings) -> Finding:
    database = open_database(settings, "console")
    name = database.url.render_as_string(hide_password=True)
    if database.dialect == "sqlite" and not Path(database.url.database or "").exists():
        return Finding("missing", "database", f"{name} is made at the first `hortus up`")
    try:
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            revision = await connection.run_sync(_revision)
    except Exception as error:  # any driver's any error is one line here
        return Finding("broken", "database", f"{name} cannot be reached: {reason_of(error) or type(error).__name__}")
    finally:
        await database.close()
    try:
        migrations.refuse_unknown(revision)
    except NotStarted as error:
        return Finding("broken", "database", str(error))
    if revision is None or revision < migrations.head():
        return Finding("broken", "database", f"{name} is at revision {revision}; run `hortus migrate`")
    return Finding("ok", "database", f"{name}, revision {revision}")


async def _read(settings: Settings, question: Callable[[Tx], Awaitable[T]]) -> T | None:
    """The result of `question`; None if the database is unreachable, which has its own line, or does not exist yet."""
    database = open_database(settings, "console")
    try:
        if database.dialect == "sqlite" and not Path(database.url.database or "").exists():
            return None
        async with database.snapshot() as tx:
            return await question(tx)
    except Exception:  # any driver's any error; `_database` reports it
        return None
    finally:
        await database.close()


async def _processes(settings: Settings) -> list[Finding]:
    """Settings of this environment that differ from those of running processes."""
    running = await _read(settings, tasks.processes)
    if running is None:
        return []
    found = [
        Finding("broken", "settings", sentence)
        for each in running
        for sentence in differences(settings, each.settings or {}, f"the {each.kind} {each.name}")
    ]
    return found or [Finding("ok", "settings", f"agree with those of {len(running)} processes that run")]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _secret(settings: Settings) -> Finding:
    if settings.secret_key.get_secret_value():
        return Finding("ok", "secret key", "from SECRET_KEY")
    where = "made and kept in the data folder"
    if settings.host not in LOOPBACK:
        where += "; set SECRET_KEY when several machines share the work"
    return Finding("ok", "secret key", where)


async def _redis(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding("ok", "redis", "not set; one process needs none")
    name = make_url(settings.redis_url).render_as_string(hide_password=True)
    redis = Redis(settings.redis_url, prefix=settings.redis_prefix, timeout=1.0)
    try:
        await redis.open()
        if await redis.state() == "down":
            return Finding(
                "broken", "redis", f"{name} does not answer; the service goes on, see docs/operators/redis.md"
            )
        ms = await redis.round_trip() * 1000
        return Finding("ok", "redis", f"{name} answers in {ms:.1f} ms; shares limits, caches and live events")
    except (RedisDown, ValueError) as error:
        return Finding("broken", "redis", f"REDIS_URL {name}: {type(error).__name__}")
    finally:
        await redis.close()


def _providers(registry: Registry) -> list[Finding]:
    found = []
    for provider in registry.all():
        missing = provider.missing()
        state: Literal["ok", "missing"] = "ok" if missing is None else "missing"
        found.append(Finding(state, provider.id, missing or f"{provider.title} is ready"))
    found += [Finding("broken", name, reason) for name, reason in registry.broken.items()]
    if importlib.util.find_spec("av") is None:
        found.append(Finding("missing", "media", "install hortus[local] for talking photos and deep video checks"))
    return found


async def _refusals(settings: Settings) -> list[Finding]:
    """The vendors that refused the key while the service ran."""
    refused = await _read(settings, routing.key_refusals) or {}
    return [
        Finding("broken", provider, f"key refused since {since:%Y-%m-%d %H:%M} UTC; its offers are off until it works")
        for provider, since in sorted(refused.items())
    ]


async def check_vendors(settings: Settings, read: Configuration, registry: Registry, http: Http) -> list[Finding]:
    """Send each configured vendor a request that costs nothing, and report its answer."""
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        (each.id, each.check)
        for each in registry.all()
        if each.missing() is None and isinstance(each, providers.Checkable)
    ]
    database = open_database(settings, "console")
    checks += [
        (f"pay by {gateway.id}", gateway.check)
        for gateway in payments.discover(payments.GatewayContext(http, settings, database)).ready()
        if isinstance(gateway, payments.Checkable)
    ]
    try:
        chosen = senders.select_senders(read, http)
        issuers = auth.OidcProviders(read.get(auth.ConfiguredIssuers).providers, http)
    except LookupError:
        return []  # each wrong setting has a line of its own
    for what, sender in (("mail", chosen.mail), ("SMS", chosen.sms)):
        if sender.missing() is None and isinstance(sender, senders.CheckableSender):
            checks.append((f"{what} through {sender.id}", sender.check))
    checks += [(f"sign-in with {issuer.name}", issuer.check) for issuer in issuers.all()]
    try:
        return list(await asyncio.gather(*(_checked(f"ask {what}", check) for what, check in checks)))
    finally:
        await database.close()


async def _checked(what: str, check: Callable[[], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(VENDOR_SECONDS):
            return Finding("ok", what, await check())
    except providers.NotConfigured as error:
        return Finding("broken", what, f"key refused: {error.detail[:200]}")
    except TimeoutError:
        return Finding("broken", what, f"no answer within {VENDOR_SECONDS:.0f} seconds")
    except (providers.ProviderError, payments.GatewayError, senders.SendFailed, Problem) as error:
        return Finding("broken", what, f"{getattr(error, 'detail', error)}"[:250])


def _gateways(settings: Settings, http: Http) -> list[Finding]:
    gateways = payments.discover(payments.GatewayContext(http, settings, open_database(settings, "console")))
    found = []
    for gateway in gateways.all():
        missing = gateway.missing()
        line = missing or f"{gateway.title} is ready; it charges {', '.join(gateway.capabilities.currencies)}"
        found.append(Finding("ok" if missing is None else "missing", f"pay by {gateway.id}", line))
    found += [Finding("broken", name, reason) for name, reason in gateways.broken.items()]
    if not gateways.ready():
        found.append(Finding("missing", "payments", "nothing can be bought: no gateway is ready"))
    return found


def _offers(settings: Settings, registry: Registry) -> list[Finding]:
    try:
        catalog = routing.load(settings.catalog_path)
    except routing.CatalogError:
        return [Finding("broken", "catalogue", "not checked: CATALOG_PATH must be corrected first")]
    found = [Finding("ok", "catalogue", f"dated {catalog.dated}, {len(catalog.models)} models")]
    for each in routing.offer_statuses(catalog, registry):
        name = f"  {each.model.id}"
        line = f"{each.offer.provider}: {each.reason}" if each.reason else f"offered through {each.offer.provider}"
        found.append(Finding("missing" if each.reason else "ok", name, line))
    return found


def _senders(settings: Settings, read: Configuration, http: Http) -> list[Finding]:
    try:
        chosen = senders.select_senders(read, http)
    except LookupError:
        return [Finding("broken", "mail, SMS", "not checked: a setting above must be corrected first")]
    found = []
    for what, sender, hint in (
        ("mail", chosen.mail, "set SMTP_HOST to send"),
        ("SMS", chosen.sms, "set TWILIO_ACCOUNT_SID or SMS_HTTP_URL to send"),
    ):
        lacking = sender.missing()
        if lacking is not None:
            found.append(Finding("broken", what, f"{sender.id}: {lacking}"))
        elif sender.real:
            found.append(Finding("ok", what, f"sent through {sender.id}"))
            if what == "mail" and settings.sign_up == "instant":
                advice = "registration reveals which addresses have accounts; set SIGN_UP=verify_first"
                found.append(Finding("missing", "sign-up", advice))
        else:
            found.append(Finding("missing", what, f"shown on standard output only; {hint}"))
    return found


def _issuers(settings: Settings, read: Configuration) -> list[Finding]:
    try:
        issuers = read.get(auth.ConfiguredIssuers).named
    except LookupError:
        return [Finding("broken", "sign-in", "not checked: a setting above must be corrected first")]
    if not issuers:
        return [Finding("missing", "sign-in", "by password and codes only; set OIDC_GOOGLE_CLIENT_ID for Google")]
    found = []
    for name, given in issuers.items():
        line = f"{given.issuer}, which must allow the redirect to {settings.origin}/api/auth/oidc/{name}/callback"
        if not given.client_secret.get_secret_value():
            line += "; no CLIENT_SECRET, so as a public client"
        if given.placeholders():
            found.append(Finding("missing", f"sign-in with {name}", "off: its client is a placeholder from an example"))
            continue
        found.append(Finding("ok", f"sign-in with {name}", line))
    return found


def summary(settings: Settings, registry: Registry) -> list[tuple[str, str]]:
    """The lines that `hortus up` prints at start."""
    ready = [provider.id for provider in registry.all() if provider.missing() is None]
    asleep = [provider.id for provider in registry.all() if provider.missing() is not None]
    database = "PostgreSQL" if settings.database.startswith("postgres") else "SQLite in the data folder"
    lines = [("database", database), ("providers", ", ".join(ready) or "none: see `hortus doctor`")]
    if asleep:
        lines.append(("asleep", f"{', '.join(asleep)} (see `hortus doctor`)"))
    return lines

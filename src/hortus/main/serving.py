"""Run the server or the worker until told to stop."""

import asyncio
import signal
import socket
import sys
import time

import structlog
import uvicorn
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from hortus import accounts, tasks
from hortus.accounts.schemas import Email
from hortus.core.db import Database
from hortus.core.errors import Problem
from hortus.core.settings import Settings
from hortus.main import schema
from hortus.main.app import create_app
from hortus.main.databases import open_database
from hortus.main.doctor import summary
from hortus.main.health import Duty
from hortus.main.opening import opened

log = structlog.get_logger()


def serve(settings: Settings, *, work: bool, migrate: bool, console: Console) -> int:
    """Serve until SIGINT or SIGTERM; the exit code."""
    if migrate:
        try:
            schema.upgrade_apart(settings)
        except schema.NotMigrated:
            console.print("[red]Not started.[/red] The database could not be migrated; the lines above say why.")
            return 1
    sockets = None
    if settings.port == 0:  # any free one: links of ours must name it, so it is taken before anything is made
        sockets = [socket.create_server((settings.host, 0))]
        settings = settings.model_copy(update={"port": sockets[0].getsockname()[1]})
    duty = Duty()
    config = uvicorn.Config(
        create_app(settings, work=work, duty=duty),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        proxy_headers=False,  # it would believe any process of this machine; core.addresses asks TRUSTED_PROXIES
        timeout_graceful_shutdown=15,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config, settings, console, duty)
    server.run(sockets)
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Says where to go once it listens; leaves slowly where it is told to."""

    def __init__(self, config: uvicorn.Config, settings: Settings, console: Console, duty: Duty) -> None:
        super().__init__(config)
        self._settings, self._console, self._duty = settings, console, duty

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start to listen, then greet."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if not self.started:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        base = f"http://{self._settings.host}:{port}"
        lines = await asyncio.to_thread(lambda: asyncio.run(summary(self._settings)))
        setup = await asyncio.to_thread(lambda: asyncio.run(_offer_setup(self._settings)))
        self._console.print(f"\n[bold]Hortus is up[/bold] at {base}", highlight=False, soft_wrap=True)
        self._console.print(
            f"  try it     {base}/docs   or   hortus demo --url {base}", highlight=False, soft_wrap=True
        )
        self._console.print(f"  data       {self._settings.data_dir.resolve()}", highlight=False, soft_wrap=True)
        for what, line in lines:
            self._console.print(f"  {what:<10} {line}", highlight=False, soft_wrap=True)
        if setup is not None:
            self._console.print(
                f"  first run  make yourself administrator: POST {base}/api/auth/setup\n"
                f"             with this one-time token: {setup}",
                highlight=False,
                soft_wrap=True,
            )
        sys.stdout.flush()

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Serve on while the load balancer learns that this server leaves, then stop."""
        self._duty.on = False
        until = time.monotonic() + self._settings.shutdown_drain_seconds
        while time.monotonic() < until and not self.force_exit:  # noqa: ASYNC110 - uvicorn sets a plain attribute
            await asyncio.sleep(0.1)
        await super().shutdown(sockets)  # type: ignore[arg-type]


async def _offer_setup(settings: Settings) -> str | None:
    database = open_database(settings, "server")
    try:
        async with database.transaction() as tx:
            return await accounts.offer_setup(tx)
    finally:
        await database.close()


async def work(settings: Settings) -> None:
    """Do background work until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(settings, work=True, role="worker"):
        log.info("worker_started")
        await stop.wait()


async def schedule(settings: Settings) -> None:
    """Look for what is due by the clock until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(settings, work=False) as resources:
        leases = tasks.Leases(resources.get(Database), settings.lease_seconds, kind="scheduler")
        await leases.start()
        await resources.get(tasks.Scheduler).start()  # stopped by whoever opened it
        log.info("scheduler_started")
        await stop.wait()
        await leases.stop(0)


async def create_admin(settings: Settings, email: str, password: str) -> str | None:
    """Make an administrator; the reason why not, or None."""
    try:
        address = TypeAdapter(Email).validate_python(email)
        accounts.check_strength(password, address)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    except Problem as problem:
        return problem.detail
    await asyncio.to_thread(schema.upgrade, settings)
    async with opened(settings, work=False) as resources:
        hashed = await resources.get(accounts.PasswordPool).hash(password)
        try:
            async with resources.get(Database).transaction() as tx:
                await accounts.register(tx, email=address, password_hash=hashed, name=None, role="admin")
        except Problem as problem:
            return problem.detail
    return None

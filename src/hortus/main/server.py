"""Run the server, the worker or the scheduler until SIGINT or SIGTERM."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable

import structlog
import uvicorn
from rich.console import Console

from hortus import accounts, tasks
from hortus.core.background import in_background
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.shared_settings import shared_values
from hortus.core.web.openapi_schema import OpenApi
from hortus.core.web.sse import Streams
from hortus.main.app import create_app
from hortus.main.bootstrap import open_app
from hortus.ops import migrations, preflight
from hortus.ops.doctor import summary
from hortus.ops.health import Readiness
from hortus.providers import Registry

log = structlog.get_logger()


def serve(
    settings: Settings,
    sockets: list[socket.socket],
    *,
    work: bool,
    console: Console,
    migrated: Callable[[], None] | None = None,
) -> int:
    """Serve on bound `sockets` until SIGINT or SIGTERM, once `migrated` returns; the exit code.

    Raises NotStarted when another process began to listen there meanwhile.
    """
    if settings.port == 0:  # links of ours must name the port that was taken
        settings = settings.model_copy(update={"port": sockets[0].getsockname()[1]})
    readiness, streams, banner = Readiness(), Streams(), StartupBanner(settings, console)
    config = uvicorn.Config(
        create_app(settings, work=work, readiness=readiness, streams=streams, on_open=banner.read_from),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        proxy_headers=False,  # uvicorn would trust any local process; core.web.client_ip reads TRUSTED_PROXIES
        timeout_graceful_shutdown=15,
        h11_max_incomplete_event_size=64 * 1024,
    )
    if migrated is not None:
        try:
            migrated()
        except migrations.NotMigrated:
            console.print("[red]Not started.[/red] The database could not be migrated; see the lines above.")
            return 1
    server = _Server(config, settings, readiness, streams, banner)
    server.run(sockets)
    if server.refused is not None:
        raise preflight.cannot_listen(settings.host, settings.port, server.refused)
    return 0 if server.started else 1


class StartupBanner:
    """The lines that a server prints once it listens."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings, self._console = settings, console
        self.resources = Resources()

    def read_from(self, resources: Resources) -> None:
        """Use these resources for the banner."""
        self.resources = resources

    async def show(self, port: int) -> None:
        """Print the addresses, the configuration and, on the first run, how to become administrator."""
        base = f"http://{self._settings.host}:{port}"
        async with self.resources[Database].transaction() as tx:
            setup = await accounts.create_setup_token(tx)
        self._line(f"\n[bold]Hortus is up[/bold] at {base}")
        self._line(f"  try it     {base}/docs   or   hortus demo --url {base}")
        self._line(f"  data       {self._settings.data_dir.resolve()}")
        for subject, line in summary(self._settings, self.resources[Registry]):
            self._line(f"  {subject:<10} {line}")
        if setup is not None:
            url = self._settings.public_url.rstrip("/") or base  # behind a proxy, customers cannot reach our address
            self._line(f"  first run  make yourself administrator: POST {url}/api/auth/setup")
            self._line(f"             with this one-time token: {setup}")
            self._line("             (it replaces the tokens of earlier starts: the newest is the one that works)")
        sys.stdout.flush()

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class _Server(uvicorn.Server):
    """Prints the banner once it listens, and drains before it stops."""

    def __init__(
        self, config: uvicorn.Config, settings: Settings, readiness: Readiness, streams: Streams, banner: StartupBanner
    ) -> None:
        super().__init__(config)
        self._settings, self._readiness, self._streams, self._banner = settings, readiness, streams, banner
        self.refused: OSError | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then print the banner."""
        try:
            await super().startup(sockets)
        except OSError as error:  # as uvicorn does where it makes the sockets itself
            self.refused = error
            await self.lifespan.shutdown()
            self.should_exit = True
            return
        if self.started:
            await self._banner.show(self.servers[0].sockets[0].getsockname()[1])
            # Now, so that no request waits for it.
            self._schema = in_background(self._banner.resources[OpenApi].as_json())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Report `stopping` and serve on until the load balancer has noticed, then stop."""
        self._readiness.on = False
        until = time.monotonic() + self._settings.shutdown_drain_seconds
        while time.monotonic() < until and not self.force_exit:  # noqa: ASYNC110 - uvicorn sets a plain attribute
            await asyncio.sleep(0.1)
        self._streams.end()  # open streams would delay the stop until they are cut off
        await super().shutdown(sockets)


async def work(settings: Settings) -> None:
    """Run background tasks until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_app(settings, work=True, role="worker"):
        log.info("worker_started")
        await stop.wait()


async def schedule(settings: Settings) -> None:
    """Enqueue periodic tasks until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_app(settings, work=False, role="worker") as resources:
        leases = tasks.Leases(
            resources[Database], settings.lease_seconds, kind="scheduler", settings=shared_values(settings)
        )
        await leases.start()
        await resources[tasks.Scheduler].start()  # `open_app` stops it
        log.info("scheduler_started")
        await stop.wait()
        await leases.stop(0)

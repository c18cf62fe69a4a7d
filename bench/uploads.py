"""Upload and enhancement of a JPEG of 10 MB."""

import io
import os
import statistics
import time
from pathlib import Path

import aiohttp
from bench.figures import Figure, at_most
from bench.load import session, sign_up
from PIL import Image
from tests.faults.server_process import ServerProcess

BYTES = 10 * 1024 * 1024


def photograph() -> bytes:
    """A large JPEG with enough noise to have about 10 MB."""
    side = 4000
    noise = Image.frombytes("L", (side // 2, side // 2), os.urandom(side * side // 4)).resize((side, side))
    image = Image.merge("RGB", (noise, Image.radial_gradient("L").resize((side, side)), noise.rotate(90)))
    best = b""
    for quality in range(98, 40, -4):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        best = file.getvalue()
        if len(best) <= BYTES:
            break
    return best


async def measure(folder: Path) -> list[Figure]:
    """Measure from the first byte sent to the response."""
    data = photograph()
    times = []
    async with ServerProcess(folder / "image", DATABASE_URL="") as server, session() as http:
        (headers,) = await sign_up(http, server.url, None, 1)
        for _ in range(3):
            form = aiohttp.FormData({"enhance": "true"})
            form.add_field("file", data, filename="photo.jpg", content_type="image/jpeg")
            started = time.perf_counter()
            async with http.post(f"{server.url}/api/upload/file", data=form, headers=headers) as answer:
                if answer.status != 201:
                    raise RuntimeError(await answer.text())
            times.append(time.perf_counter() - started)
    what = f"a JPEG of {len(data) / 1024 / 1024:.1f} MB and 16 megapixels uploaded and enhanced, median of 3"
    return [at_most(what, statistics.median(times), 0.8, "s")]

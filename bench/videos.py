"""Generation of a talking photo of five seconds by the local provider."""

import importlib.util
import io
import statistics
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, at_most, missing
from PIL import Image

from hortus.core import ids
from hortus.core.http import Http
from hortus.providers import Context, Media, Output, VideoRequest
from hortus_local import Adapter

WHAT = "a talking photo of about 5 seconds, median of 3"
SCRIPT = "Good morning. The first light falls through the leaves, and the day can begin."


async def measure() -> list[Figure]:
    """Measure from the request to the finished file."""
    if importlib.util.find_spec("hortus_local.video") is None:
        return [missing(WHAT, "this version makes no video of its own")]
    image = io.BytesIO()
    Image.radial_gradient("L").resize((1024, 1024)).convert("RGB").save(image, "JPEG")
    times = []
    async with Http() as http:
        with tempfile.TemporaryDirectory() as folder:
            adapter = Adapter(Context(http, Path(folder)))
            if (why := adapter.missing()) is not None:
                return [missing(WHAT, why)]
            photo = Media(image.getvalue(), "image/jpeg")
            times.extend([await video(adapter, photo) for _ in range(3)])
    return [at_most(WHAT, statistics.median(times), 5, "s")]


async def video(adapter: Adapter, photo: Media) -> float:
    """Seconds for one video."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        request = VideoRequest(
            id=ids.new(), model="sketch-video", timeout=120, workdir=Path(folder),
            operation="video.talking_photo", photo=photo, script=SCRIPT,
        )  # fmt: skip
        made = [event async for event in adapter.generate(request) if isinstance(event, Output)]
    if len(made) != 1:
        raise RuntimeError("no video")
    return time.perf_counter() - started

"""Hortus without the extra `local`: texts and images still work, videos and cut-outs are not configured.

The interpreter is a virtual environment with every library of this one but those of the extra, so the media worker,
a process of its own, lacks them too.
"""

import asyncio
import io
import json
import re
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from PIL import Image
from tests.helpers.commands import process
from tests.helpers.server import PASSWORD, ended

import hortus

EXTRA = re.compile(r"(av|cv2|espeakng_loader|fontpkg\w*|numpy|opencv_\w+)([-.].*)?$")
PORTRAIT = Path(hortus.__file__).parent / "assets" / "portrait.png"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter for which the libraries of the extra are not installed."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not EXTRA.match(entry.name):
            (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


@pytest.fixture
async def client(python: Path, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A customer of an installation without the extra."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = (str(python), "-m", "hortus", "up", "--port", str(port), "--data", str(tmp_path / "data"))
    async with (
        process(tmp_path, *command, RATE_LIMITS_ENABLED="false"),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        async with asyncio.timeout(60):
            while True:
                try:
                    await client.get("/health")
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
        body = {"email": "ada@example.com", "password": PASSWORD, "accept_terms": True}
        answer = await client.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


async def test_texts_and_images_are_made_and_a_video_is_not_offered(client: httpx2.AsyncClient):
    async def made(path: str, body: dict) -> dict:
        answer = await client.post(path, json=body)
        assert answer.status_code in (200, 202), answer.text
        return await ended(client, answer.json()["id"])

    text = await made("/api/text/generate", {"prompt": "A line about rain", "stream": False})
    assert (text["status"], bool(text["text"])) == ("succeeded", True)

    drawn = await made("/api/image/generate", {"prompt": "A lake at dawn", "size": "512x512"})
    assert drawn["status"] == "succeeded"
    with Image.open(io.BytesIO((await client.get(drawn["outputs"][0]["url"])).content)) as image:
        assert image.size == (512, 512)
        assert len(image.getcolors(1 << 20)) > 50

    upload = await client.post("/api/upload/file", files={"file": ("ada.png", PORTRAIT.read_bytes())})
    photo = upload.json()["id"]
    larger = await made("/api/image/edit", {"file_id": photo, "operation": "upscale"})
    assert (larger["status"], larger["outputs"][0]["width"]) == ("succeeded", 1536)

    for path, body in (
        ("/api/video/generate", {"photo_file_id": photo, "script": "Hello there."}),
        ("/api/image/edit", {"file_id": photo, "operation": "remove_background"}),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_offered"), answer.text


def test_the_adapter_names_the_libraries_that_are_missing(python: Path, tmp_path: Path):
    code = f"""
import asyncio, json
from pathlib import Path
from hortus.providers import ImageRequest, Media, NotConfigured, VideoRequest
from hortus_local import Adapter

SHARED = dict(id="g", timeout=20, workdir=Path({str(tmp_path)!r}))
PHOTO = Media(Path({str(PORTRAIT)!r}).read_bytes(), "image/png")
async def reason(request):
    try:
        async for _ in Adapter(None).generate(request):
            pass
    except NotConfigured as error:
        return f"{{error.code}}: {{error.detail}}"
print(json.dumps([
    asyncio.run(reason(VideoRequest(**SHARED, model="sketch-video", operation="video.text", prompt="A kite"))),
    asyncio.run(reason(ImageRequest(**SHARED, model="sketch-image", operation="image.remove_background", prompt="",
                                    width=64, height=64, source=PHOTO))),
]))
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    video, cut_out = json.loads(done.stdout)
    assert video.startswith("not_configured: install the media libraries: pip install 'hortus[local]'")
    assert "av" in video
    assert "cv2, numpy" in cut_out


def test_every_library_of_the_extra_is_left_out(python: Path):
    code = "import importlib.util as u; from hortus_local.libraries import VIDEO; print([n for n in VIDEO if u.find_spec(n)])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
    assert sys.executable != str(python)

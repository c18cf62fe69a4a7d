"""The nginx file: read by nginx itself, and started."""

import asyncio
import re
import socket
import subprocess
import time
from pathlib import Path

import httpx2
from tests.deploy.known import ROOT
from tests.deploy.programs import needed, passes, run

from hortus.core.errors import NotFound, PayloadTooLarge, Problem, ServiceUnavailable
from hortus.core.settings import Settings

NGINX = ROOT / "deploy/nginx/nginx.conf"
BARE = re.sub(r"(^|\s)#.*", "", NGINX.read_text(), flags=re.MULTILINE)


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens; all different, as they are held until the last is found."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


async def listens(port: int) -> None:
    """Return once somebody listens there."""
    until = time.monotonic() + 20
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def nginx_file(program: str, folder: Path, listen: int, upstream: int) -> Path:
    """The file for this machine: other addresses, and without the word that nginx before 1.27.3 cannot read."""
    text = NGINX.read_text().replace("server api:8000", f"server 127.0.0.1:{upstream}")
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{listen};").replace("/tmp/", f"{folder}/")
    version = re.search(r"nginx/([\d.]+)", run(program, "-v").stderr)[1]
    if tuple(map(int, version.split("."))) < (1, 27, 3):
        text = text.replace(" resolve ", " ")
    (folder / "nginx.conf").write_text(text)
    return folder / "nginx.conf"


def test_nginx_reads_its_file(tmp_path: Path):
    program = needed("nginx")
    passes(program, "-t", "-c", nginx_file(program, tmp_path, 8080, 8000))


async def test_nginx_refuses_in_our_words(tmp_path: Path):
    program = needed("nginx")
    port, nobody = free_ports(2)
    command = (program, "-c", str(nginx_file(program, tmp_path, port, nobody)), "-g", "daemon off;")
    started = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            await listens(port)
            answers: list[tuple[httpx2.Response, type[Problem]]] = [
                (await client.get("/metrics"), NotFound),
                (await client.post("/api/upload/file", content=b"x" * (28 << 20)), PayloadTooLarge),
                (await client.get("/health/ready"), ServiceUnavailable),
                (await client.get("/api/models"), ServiceUnavailable),
            ]
    finally:
        started.terminate()
        await asyncio.wait_for(started.wait(), 20)
    for answer, kind in answers:
        assert answer.headers["Content-Type"] == "application/problem+json"
        told = answer.json()
        assert told["request_id"] == answer.headers["X-Request-ID"]
        said = (told["type"], told["code"], told["status"], told["title"], told["detail"], answer.status_code)
        assert said == (f"/docs/errors#{kind.code}", kind.code, kind.status, kind.title, kind.detail, kind.status)
    assert answers[-1][0].headers["Retry-After"] == "2"


def test_nginx_follows_its_servers_and_writes_no_signed_address():
    upstream = re.search(r"upstream hortus \{(.*?)\}", BARE, re.DOTALL)[1]
    assert re.search(r"^\s*zone ", upstream, re.MULTILINE)
    assert re.search(r"^\s*server api:8000 resolve ", upstream, re.MULTILINE)  # a new container, a new address
    assert "resolver 127.0.0.11 valid=5s" in BARE
    assert re.findall(r"(?:error|access)_log ([^;]+);", BARE) == ["/dev/stderr error", "off"]


def test_nginx_lets_uploads_through_and_streams_flow():
    assert BARE.count("{") == BARE.count("}")
    for line in filter(None, map(str.strip, BARE.splitlines())):
        assert line[-1] in "{};", line
    limit = int(re.search(r"client_max_body_size (\d+)m;", BARE)[1]) * 1024 * 1024
    assert Settings.model_fields["max_upload_bytes"].default + 64 * 1024 < limit
    streams = [re.compile(each) for each in re.findall(r"location ~ (\S+) \{[^}]*proxy_buffering off", BARE)]
    for path in ("/api/generations/x/events", "/chatroom/x/events/", "/api/text/generate"):
        assert any(each.search(path) for each in streams), path
    assert not any(each.search("/api/upload/file") for each in streams)

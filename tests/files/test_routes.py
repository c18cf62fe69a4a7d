"""Uploads and signed links over a real socket, on both databases."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import time_machine
from starlette.requests import Request
from tests.files import draw
from tests.helpers.server import Hortus, serve

from hortus import files
from hortus.core import clock, ids
from hortus.storage import LocalStorage, Storage


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"max_upload_bytes": 1024 * 1024, "max_image_pixels": 4_000_000, "principal_cache_seconds": 300.0}


async def upload(
    client: httpx2.AsyncClient, data: bytes, name: str = "cat.jpg", key: str | None = None, **form: str
) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/api/upload/file", files={"file": (name, data)}, data=form, headers=headers)


async def blobs(hortus: Hortus) -> int:
    return len([blob async for blob in hortus.resources[Storage].list("uploads")])


async def test_a_file_from_upload_to_deletion(hortus: Hortus):
    ada, eve, anyone = await hortus.customer(), await hortus.customer(), hortus.anonymous()
    answer = await upload(ada, draw.make_image(size=(80, 60), exif=draw.exif()), "../Кот «1».jpeg")
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert file["filename"] == "Кот «1».jpg"
    wanted = {"mime_type": "image/jpeg", "width": 80, "height": 60, "scan": "not_scanned", "purpose": "upload"}
    assert {name: file[name] for name in wanted} == wanted
    assert file["created_at"].endswith("Z")
    path = f"/api/upload/file/{file['id']}"

    shown = await anyone.get(file["url"])
    assert shown.status_code == 200
    assert hashlib.sha256(shown.content).hexdigest() == file["sha256"]
    assert len(shown.content) == file["bytes"] == int(shown.headers["content-length"])
    assert b"SecretCamera" not in shown.content

    again = (await ada.get(path)).json()
    assert again == {**file, "url": again["url"]}
    assert [item["id"] for item in (await ada.get("/api/upload/files")).json()["items"]] == [file["id"]]

    for stranger, status in ((eve, 404), (anyone, 401)):
        assert (await stranger.get(path)).status_code == status
        assert (await stranger.delete(path)).status_code == status
    assert (await eve.get("/api/upload/files")).json()["items"] == []
    assert (await eve.get(path)).json()["code"] == "file_not_found"

    gone = await ada.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await ada.get(path)).status_code == 404
    assert (await ada.delete(path)).status_code == 404
    assert (await anyone.get(file["url"])).status_code == 404
    assert (await ada.get("/api/upload/files")).json()["items"] == []


async def test_what_is_refused_says_why_and_leaves_nothing(hortus: Hortus):
    ada = await hortus.customer()
    refused = [
        (draw.HTML, "cat.png", 415, "unsupported_file_type"),
        (draw.SVG, "cat.svg", 415, "unsupported_file_type"),
        (b"", "cat.png", 422, "empty_file"),
        (draw.bomb(20_000, 20_000), "cat.png", 422, "too_many_pixels"),
        (draw.noise("JPEG", (300, 200))[:-3000], "cat.jpg", 422, "damaged_image"),
        (b"x" * (1024 * 1024 + 1), "cat.jpg", 413, "file_too_large"),
    ]
    for data, name, status, code in refused:
        answer = await upload(ada, data, name)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await upload(ada, b"x" * (3 * 1024 * 1024))).status_code == 413  # refused before it is read
    bad_forms = [
        {"files": {"file": (None, "just words")}},
        {"files": {"image": ("a.png", draw.make_image())}},
        {"content": b"--x\r\nnonsense", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"files": {"file": ("a.png", draw.make_image())}, "data": {"enhance": "perhaps"}},
    ]
    for form in bad_forms:
        answer = await ada.post("/api/upload/file", **form)
        assert answer.status_code == 422, answer.text
    assert (await upload(hortus.anonymous(), draw.make_image())).status_code == 401
    assert await blobs(hortus) == 0


async def test_the_content_decides_whatever_the_name_says(hortus: Hortus):
    ada = await hortus.customer()
    file = (await upload(ada, draw.make_image("PNG"), "invoice.pdf.exe")).json()
    assert (file["filename"], file["mime_type"]) == ("invoice.pdf.png", "image/png")
    enhanced = (await upload(ada, draw.make_image("PNG", (2500, 500)), enhance="true")).json()
    assert (enhanced["width"], enhanced["height"]) == (2500, 500)


async def test_an_upload_happens_once(hortus: Hortus):
    ada, eve, data = await hortus.customer(), await hortus.customer(), draw.make_image()
    first = await upload(ada, data, key="k-1")
    again = await upload(ada, data, key="k-1")
    assert again.json() == first.json()
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    changed = [
        (draw.make_image(size=(9, 9)), "cat.jpg", {}),
        (data, "dog.jpg", {}),
        (data, "cat.jpg", {"enhance": "true"}),
    ]
    for other, name, form in changed:
        answer = await upload(ada, other, name, key="k-1", **form)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert (await upload(eve, data, key="k-1")).json()["id"] != first.json()["id"]
    answers = await asyncio.gather(*(upload(ada, data, key="k-2") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await ada.get("/api/upload/files")).json()["items"]) == 2
    assert await blobs(hortus) == 3  # two of Ada's, one of Eve's


async def test_links_cannot_be_forged_and_run_out(hortus: Hortus):
    ada, anyone = await hortus.customer(), hortus.anonymous()
    file = (await upload(ada, draw.make_image())).json()
    url = httpx2.URL(file["url"])
    signature = url.params["sig"]
    bad = [
        url.copy_remove_param("sig"),
        url.copy_remove_param("exp"),
        url.copy_set_param("sig", signature[:-1]),
        url.copy_set_param("sig", "é" * 43),
        url.copy_set_param("exp", str(int(url.params["exp"]) + 300)),
        url.copy_set_param("exp", "soon"),
        url.copy_add_param("download", "true"),
        httpx2.URL(file["url"].replace(file["id"], ids.new())),
        httpx2.URL(file["url"].replace(file["id"], "..%2f..%2fetc%2fpasswd")),
        httpx2.URL(f"/api/files/{file['id']}"),
    ]
    for forged in bad:
        assert (await anyone.get(forged)).status_code == 404, forged
        assert (await anyone.head(forged)).status_code == 404, forged
    assert (await anyone.get(url)).status_code == 200
    with time_machine.travel(clock.now() + timedelta(seconds=hortus.settings.file_link_seconds + 301)):
        late = await anyone.get(url)
    assert (late.status_code, late.json()["code"]) == (403, "link_expired")


async def test_what_is_sent_is_safe_and_cacheable(hortus: Hortus):
    ada, anyone = await hortus.customer(), hortus.anonymous()
    file = (await upload(ada, draw.noise("PNG", (400, 300)), 'Ünï "co;de".png')).json()
    sent = await anyone.get(file["url"])
    assert sent.headers["content-type"] == "image/png"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'; sandbox" in sent.headers["content-security-policy"]
    assert sent.headers["cache-control"].startswith("private, max-age=")
    disposition = sent.headers["content-disposition"]
    assert disposition == "inline; filename=\"_n_ code.png\"; filename*=UTF-8''%C3%9Cn%C3%AF%20code.png"
    assert sent.headers["etag"] == f'"{file["sha256"]}"'

    for tag in (sent.headers["etag"], f"W/{sent.headers['etag']}", f'"other", {sent.headers["etag"]}', "*"):
        same = await anyone.get(file["url"], headers={"If-None-Match": tag})
        assert (same.status_code, same.content) == (304, b"")
    assert (await anyone.get(file["url"], headers={"If-None-Match": '"other"'})).status_code == 200

    head = await anyone.head(file["url"])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(file["bytes"])

    download = await anyone.get(files.link(hortus.settings, file["id"], download=True))
    assert download.headers["content-disposition"].startswith("attachment; ")
    assert download.content == sent.content


async def test_ranges(hortus: Hortus):
    ada, anyone = await hortus.customer(), hortus.anonymous()
    file = (await upload(ada, draw.noise("PNG", (500, 400)))).json()
    whole, size = (await anyone.get(file["url"])).content, file["bytes"]
    assert size > 300_000  # more than one piece
    for query, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, size),
        ("bytes=100-299999", 100, 300_000),
        (f"bytes=10-{size * 9}", 10, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=-{size * 9}", 0, size),
    ):
        part = await anyone.get(file["url"], headers={"Range": query})
        assert part.status_code == 206, query
        assert part.content == whole[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.headers["content-length"] == str(end - start)
    for query in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        part = await anyone.get(file["url"], headers={"Range": query})
        assert part.status_code == 416, query
        assert part.headers["content-range"] == f"bytes */{size}"
    for query in ("bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=a-b"):
        part = await anyone.get(file["url"], headers={"Range": query})
        assert (part.status_code, len(part.content)) == (200, size), query
    for tag, status in ((f'"{file["sha256"]}"', 206), ('"older"', 200)):
        part = await anyone.get(file["url"], headers={"Range": "bytes=0-9", "If-Range": tag})
        assert part.status_code == status


async def test_a_lost_blob_is_not_found(hortus: Hortus):
    ada, anyone = await hortus.customer(), hortus.anonymous()
    file = (await upload(ada, draw.make_image())).json()
    await hortus.resources[Storage].delete(f"uploads/{file['id']}")
    lost = await anyone.get(file["url"])
    assert (lost.status_code, lost.json()["code"]) == (404, "file_not_found")


async def test_lists_by_page_and_filter(hortus: Hortus):
    ada = await hortus.customer()
    made = []
    for number in range(5):
        kind = "PNG" if number % 2 else "JPEG"
        made.append((await upload(ada, draw.make_image(kind), f"rose {number}.x")).json()["id"])
    first = (await ada.get("/api/upload/files", params={"limit": 3})).json()
    rest = (await ada.get("/api/upload/files", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None

    now = clock.now()
    for query, count in (
        ({"mime_type": "image/png"}, 2),
        ({"mime_type": "image"}, 5),
        ({"purpose": "upload"}, 5),
        ({"purpose": "output"}, 0),
        ({"q": "ROSE 3"}, 1),
        ({"q": "%"}, 0),
        ({"created_after": (now - timedelta(hours=1)).isoformat()}, 5),
        ({"created_after": (now - timedelta(hours=1)).replace(tzinfo=None).isoformat()}, 5),
        ({"created_before": "2020-01-01T00:00:00+05:30"}, 0),
        ({"created_before": "2020-01-01"}, 0),
    ):
        answer = await ada.get("/api/upload/files", params=query)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == count, query
    for query in (
        {"purpose": "other"},
        {"mime_type": "image/png; x"},
        {"q": "\x00"},
        {"limit": 0},
        {"cursor": "nonsense"},
        {"created_after": "yesterday"},
        {"created_before": "9999-12-31T23:59:59-14:00"},
        {"created_after": "0001-01-01T00:00:00+14:00"},
    ):
        assert (await ada.get("/api/upload/files", params=query)).status_code == 422, query


async def test_uploads_are_limited_by_caller(tmp_path: Path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'limited.db'}"
    async with serve(url, tmp_path, fresh=True, rate_limits_enabled=True, rate_limits={"upload": "2/minute"}) as hortus:
        ada, eve = await hortus.customer(), await hortus.customer()
        statuses = [(await upload(ada, draw.make_image())).status_code for _ in range(3)]
        assert statuses == [201, 201, 429]
        assert (await upload(eve, draw.make_image())).status_code == 201


async def test_nobody_reads_on_for_a_caller_who_left(hortus: Hortus):
    """The response stops asking storage once the connection is gone."""
    read = 0

    class Watched(LocalStorage):
        async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            nonlocal read
            async for piece in super().open(key, start, end):
                read += len(piece)
                yield piece

    storage, file_id = Watched(hortus.settings.data_dir / "large"), ids.new()
    await storage.put(f"outputs/{file_id}", b"x" * 50_000_000, "video/mp4")
    row = files.File(
        id=file_id,
        filename="video.mp4",
        mime_type="video/mp4",
        bytes=50_000_000,
        sha256="0" * 64,
        storage_key=f"outputs/{file_id}",
    )
    sent = []

    async def receive() -> dict[str, str]:
        if len(sent) < 4:
            await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": [], "path": "/"}
    await files.serve(Request(scope), storage, row, download=False)(scope, receive, send)
    assert 0 < read < 3_000_000

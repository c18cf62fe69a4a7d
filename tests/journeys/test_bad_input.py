"""Invalid input gets its documented 4xx, costs nothing and leaves no rows."""

import io
import struct
import zlib
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from PIL import Image
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus


@pytest.fixture
def server_options(vendor: OpenAIEmulator) -> dict[str, Any]:
    return {}


async def refused(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def nothing_happened(hortus: Hortus) -> None:
    async with hortus.database.snapshot() as tx:
        for table in ("generations", "credit_reservations", "quota_uses", "files", "tasks"):
            # Signing up sends a mail.
            mails = " AND name NOT LIKE 'auth.%' AND name NOT LIKE 'senders.%'"
            where = f" WHERE name NOT IN (SELECT name FROM task_schedules){mails}" if table == "tasks" else ""
            assert (await tx.execute(text(f"SELECT count(*) FROM {table}{where}"))).scalar_one() == 0, table


async def test_bad_bodies(hortus: Hortus):
    client = await hortus.customer()
    bad = [
        ("/api/text/generate", {}),
        ("/api/text/generate", {"prompt": ""}),
        ("/api/text/generate", {"prompt": "   "}),
        ("/api/text/generate", {"prompt": "x" * 30_000}),
        ("/api/text/generate", {"prompt": "null\x00byte"}),
        ("/api/text/generate", {"prompt": 7}),
        ("/api/text/generate", {"prompt": "x", "max_tokens": 10**30}),
        ("/api/text/generate", {"prompt": "x", "surprise": True}),
        ("/api/image/generate", {"prompt": "x", "count": 99}),
        ("/api/image/generate", {"prompt": "x", "size": "100000x100000"}),
        ("/api/image/generate", {"prompt": "x", "size": "0x0"}),
        ("/api/image/generate", {"prompt": "x", "style": "s" * 1000}),
        ("/api/video/generate", {}),
        ("/api/video/generate", {"script": "no photo"}),
        ("/api/video/generate", {"prompt": "x", "script": "word " * 10_000}),
        ("/api/video/generate", {"prompt": "x", "aspect_ratio": "4:3"}),
        ("/api/generations/quote", {"kind": "opera"}),
        ("/api/chatroom", {"title": ""}),
    ]
    for path, body in bad:
        await refused(await client.post(path, json=body), 422, "invalid_request")
    raw = {"Content-Type": "application/json"}
    for content in (b"{", b"[" * 100_000, b'"\\ud800"', b"nul", b'{"prompt": NaN}', b"\xff\xfe"):
        await refused(await client.post("/api/text/generate", content=content, headers=raw), 422, "invalid_request")
    large = await client.post("/api/text/generate", json={"prompt": "x" * 900_000})
    await refused(large, 413, "payload_too_large")
    wrong = await client.post("/api/text/generate", content=b"prompt=x", headers={"Content-Type": "text/plain"})
    await refused(wrong, 415, "unsupported_media_type")
    await refused(
        await client.post("/api/text/generate", json={"prompt": "x", "model": "nope"}), 422, "model_not_offered"
    )
    nobody = "01a1fc1e-6a60-73ba-9a5f-ff6b75a73baa"
    stolen = await client.post("/api/video/generate", json={"photo_file_id": nobody, "script": "hello"})
    await refused(stolen, 404, "file_not_found")
    await refused(await client.get("/api/generations/not-an-id"), 404, "not_found")
    await refused(await client.get("/api/generations?cursor=zzz"), 422, "invalid_request")
    await refused(await client.get("/api/generations?limit=1000"), 422, "invalid_request")
    await refused(await client.request("TRACE", "/api/models"), 405, "method_not_allowed")
    await refused(await client.get("/api/nowhere"), 404, "not_found")
    page = await client.get((await client.get("/api/nowhere")).json()["type"])
    assert (page.status_code, "id='not_found'" in page.text) == (200, True)
    await refused(await client.put("/api/models"), 405, "method_not_allowed")
    await nothing_happened(hortus)


async def test_right_to_left_and_emoji_are_text_like_any_other(hortus: Hortus):
    client = await hortus.customer()
    for prompt in ("اكتب قصيدة قصيرة", "नमस्ते दुनिया", "🪁" * 50, "line\nbreaks\tand tabs"):
        answer = await client.post("/api/text/generate", json={"prompt": prompt, "max_tokens": 20})
        assert answer.status_code == 200, answer.text


def png(width: int, height: int) -> bytes:
    """A PNG of one colour whose bytes are few whatever its size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(b"\x00" * ((width // 8 + 1) * height), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(**options) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(out, "JPEG", **options)
    return out.getvalue()


async def test_bad_files(hortus: Hortus):
    client = await hortus.customer()
    bad = [
        ("page.png", b"<html><script>alert(1)</script></html>", 415, "unsupported_file_type"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', 415, "unsupported_file_type"),
        ("empty.png", b"", 422, "empty_file"),
        ("bomb.png", png(20_000, 20_000), 422, "too_many_pixels"),
        ("cut.jpg", jpeg()[:2000], 422, "damaged_image"),
        ("note.txt", b"just words", 415, "unsupported_file_type"),
    ]
    for name, data, status, code in bad:
        await refused(await client.post("/api/upload/file", files={"file": (name, data, "image/png")}), status, code)
    large = await client.post(
        "/api/upload/file", files={"file": ("large.png", b"\x89PNG" + b"0" * 26_300_000, "image/png")}
    )
    assert large.status_code == 413
    await refused(await client.post("/api/upload/file", json={"file": "x"}), 415, "unsupported_media_type")
    await refused(await client.post("/api/upload/file", files={"other": ("a.png", b"x")}), 422, "invalid_request")
    await nothing_happened(hortus)


async def test_metadata_goes_and_names_are_tamed(hortus: Hortus):
    client = await hortus.customer()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SecretCamera"
    name = "../../etc/pass\r\nwd\u202egnp.exe"
    answer = await client.post("/api/upload/file", files={"file": (name, jpeg(exif=exif), "image/jpeg")})
    stored = answer.json()
    assert answer.status_code == 201, stored
    assert (stored["width"], stored["height"]) == (200, 300)
    assert "/" not in stored["filename"]
    assert "\u202e" not in stored["filename"]
    assert stored["filename"].endswith(".jpg")
    fetched = await hortus.anonymous().get(stored["url"])
    assert b"SecretCamera" not in fetched.content
    part = await hortus.anonymous().get(stored["url"], headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)
    assert (await hortus.anonymous().get(stored["url"], headers={"Range": "bytes=9999999-"})).status_code == 416
    assert (await client.delete(f"/api/upload/file/{stored['id']}")).status_code == 204
    assert (await hortus.anonymous().get(stored["url"])).status_code == 404
    assert (await client.get("/api/upload/files")).json()["items"] == []


async def test_bad_tokens(hortus: Hortus):
    client = await hortus.customer()
    good = client.tokens["access_token"]
    head, body, signature = good.split(".")
    key = OctKey.import_key(b"another key of thirty-two bytes!!")
    claims = {"sub": client.tokens["user"]["id"], "sid": "x", "iss": "hortus", "aud": "hortus-api", "exp": 4102444800}
    forged = jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims, key)
    none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + body + "."
    for token in ("x", forged, none, f"{head}.{body}.{signature[:-2]}AA", client.tokens["refresh_token"], "é" * 10):
        answer = await hortus.anonymous().get("/api/user/me", headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401, token
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await client.post("/api/auth/logout")).status_code == 204
    assert (await client.get("/api/user/me")).status_code == 401

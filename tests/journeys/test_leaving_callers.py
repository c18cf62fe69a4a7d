"""A client that disconnects in the middle of a body causes no error, on every route that reads one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import REGISTRY
from tests.helpers.server import Hortus, serve

from hortus.core.web.problems import CLIENT_LEFT

NOBODY = "0190aaaa-0000-7000-8000-000000000000"
SECRETS = {"stripe_secret_key": "sk_test_1", "stripe_webhook_secret": "whsec_1"}


def answered() -> dict[tuple[str, str, str], float]:
    found = (each for metric in REGISTRY.collect() for each in metric.samples)
    return {
        (each.labels["method"], each.labels["route"], each.labels["status"]): each.value
        for each in found
        if each.name == "hortus_http_requests_total"
    }


def reading(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Method, path and media type of every operation with a body."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for media in operation.get("requestBody", {}).get("content", {}):
                yield method.upper(), path, media
    for path in ("/api/webhook/stripe", "/api/payment/webhook/stripe", "/api/webhook/razorpay"):
        yield "POST", path, "application/json"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_leaves_half_way_through_a_body_is_no_failure(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_" + "a" * 24)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_" + "a" * 24)
    monkeypatch.setenv("RAZORPAY_KEY_ID", "rzp_test_" + "a" * 14)
    monkeypatch.setenv("RAZORPAY_KEY_SECRET", "a" * 24)
    monkeypatch.setenv("RAZORPAY_WEBHOOK_SECRET", "a" * 24)
    async with serve(database_url, tmp_path) as hortus:
        admin = await hortus.staff("admin")
        schema = (await admin.get("/openapi.json")).json()
        before, calls = answered(), list(reading(schema))
        assert len(calls) > 50
        for method, path, media in calls:
            await leave(hortus, admin.headers["Authorization"], method, path, media)
        async with asyncio.timeout(30):
            while sum(left(before).values()) < len(calls):
                await asyncio.sleep(0.05)
    failed = {key: number for key, number in left(before).items() if key[2].startswith("5")}
    assert failed == {}
    printed = "".join(capsys.readouterr())
    assert "request_failed" not in printed
    webhooks = [number for key, number in left(before).items() if "webhook/" in key[1] and key[2] == str(CLIENT_LEFT)]
    assert sum(webhooks) >= 3


def left(before: dict[tuple[str, str, str], float]) -> dict[tuple[str, str, str], float]:
    return {key: number - before.get(key, 0) for key, number in answered().items() if number > before.get(key, 0)}


async def leave(hortus: Hortus, bearer: str, method: str, path: str, media: str) -> None:
    """Send half of a body, and close."""
    parts = urlsplit(hortus.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    shown = path.replace("{", "\0").split("\0")
    spelled = shown[0] + "".join(NOBODY + each.partition("}")[2] for each in shown[1:])
    content_type = f"{media}; boundary=x" if media.startswith("multipart") else media
    head = (
        f"{method} {spelled} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Type: {content_type}\r\n"
        f"Stripe-Signature: t=1,v1=aa\r\nX-Razorpay-Signature: aa\r\nContent-Length: 1000\r\n\r\n"
    )
    writer.write(head.encode() + (b"--x\r\n" if media.startswith("multipart") else b'{"'))
    await writer.drain()
    writer.close()
    await writer.wait_closed()

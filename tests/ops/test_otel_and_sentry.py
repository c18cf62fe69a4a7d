"""One request at its observers: its id at the vendor, its trace at a collector, its error at Sentry."""

import gzip
import io
import json
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import ended, serve

from hortus.core.telemetry import log
from hortus.ops.otel import trace_id_of
from hortus.ops.sentry import scrub

REQUEST_ID = "0195b0a0-1111-7000-8000-00000000abcd"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@asynccontextmanager
async def receiver(path: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Takes whatever is posted to `path`."""
    got: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        got.append(zlib.decompress(body, 31) if body[:2] == b"\x1f\x8b" else body)
        return web.Response(body=b"")

    application = web.Application()
    application.add_routes([web.post(path, take)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", got
    finally:
        await runner.cleanup()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch):
    """The log as JSON lines."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log.configure("info", "json")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines() if line.startswith("{")]
    monkeypatch.undo()
    structlog.reset_defaults()


async def test_the_request_id_goes_all_the_way(database_url: str, tmp_path, vendor: OpenAIEmulator, lines):
    vendor.fail("error", times=1, path="images")
    async with serve(database_url, tmp_path) as hortus:
        client = await hortus.customer()
        answer = await client.post(
            "/api/image/generate", json={"prompt": "A fig tree"}, headers={"X-Request-ID": REQUEST_ID}
        )
        assert answer.headers["x-request-id"] == REQUEST_ID
        await ended(client, answer.json()["id"])
    seen = [call.headers["X-Request-ID"] for call in vendor.calls if "images" in call.path]
    assert seen
    assert set(seen) == {REQUEST_ID}  # a task, long after the request, calls the vendor under its id
    mine = [line for line in lines() if line.get("request_id") == REQUEST_ID]
    assert {"request", "attempt_failed"} <= {line["event"] for line in mine}
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in mine)


async def test_spans_of_one_request_are_one_trace(database_url: str, tmp_path, vendor: OpenAIEmulator):
    async with (
        receiver("/v1/traces") as (place, got),
        serve(database_url, tmp_path, otel_exporter_otlp_endpoint=f"http://{place}") as hortus,
    ):
        client = await hortus.customer("private.person@example.com")
        answer = await client.post(
            "/api/image/generate", json={"prompt": "My secret garden"}, headers={"X-Request-ID": REQUEST_ID}
        )
        await ended(client, answer.json()["id"])
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await client.get("/api/user/me", headers={"traceparent": parent})
        assert (await client.get("/api/user/me", headers={"traceparent": "nonsense"})).status_code == 200
    spans = [
        span
        for body in got
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    mine = {span.name for span in spans if int.from_bytes(span.trace_id) == trace_id_of(REQUEST_ID)}
    assert {"POST /api/image/generate", "task generation.image", "provider openai_like"} <= mine
    (joined,) = [span for span in spans if span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"]
    assert (joined.name, joined.parent_span_id.hex()) == ("GET /api/user/me", "b7ad6b7169203331")
    attributes = {each.key: each.value for each in joined.attributes}
    assert attributes["http.response.status_code"].int_value == 200
    everything = b"".join(got)
    assert b"secret garden" not in everything
    assert b"private.person" not in everything


async def test_errors_are_reported_without_people(database_url: str, tmp_path, lines):
    async with (
        receiver("/api/7/envelope/") as (place, got),
        serve(database_url, tmp_path, sentry_dsn=f"http://public@{place}/7"),
    ):
        logger = structlog.get_logger()
        try:
            prompt = "a poem for my aunt"
            raise RuntimeError(f"no row for ada@example.com, token=abc123def, from 203.0.113.9 {len(prompt)}")
        except RuntimeError:
            logger.exception("task_failed", task="generation.image", email="ada@example.com", password="hunter22")
        logger.info("nothing")
    text = "".join((gzip.decompress(each) if each[:2] == b"\x1f\x8b" else each).decode() for each in got)
    assert "RuntimeError" in text
    assert "generation.image" in text
    for private in ("ada@example.com", "abc123def", "203.0.113.9", "hunter22", "aunt", "nothing"):
        assert private not in text
    assert any(line["event"] == "task_failed" for line in lines())


def test_what_is_scrubbed(database_url: str):
    for text, kept in (
        ("Bearer hk_live_0123456789abcdef", "Bearer [secret]"),
        ("postgresql://me:pass@db/x", "[credentials]@db/x"),
        ("call +91 98765 43210 now", "call [number] now"),
        ("0195b0a0-1111-7000-8000-00000000abcd", "0195b0a0-1111-7000-8000-00000000abcd"),
        ("broke [parameters: ('ada', 1)]", "broke "),
    ):
        assert scrub(text) == kept

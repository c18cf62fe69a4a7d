"""What `/metrics` tells, and to whom."""

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.schema import build
from tests.helpers.server import Hortus, ended, serve

from hortus.core.settings import Settings
from hortus.main.bootstrap import open_app
from hortus.ops import invariants
from hortus.tasks import EmbeddedEngine


@pytest.fixture
def server_options(vendor: OpenAIEmulator) -> dict[str, Any]:
    return {}


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def read(hortus: Hortus) -> Samples:
    answer = await hortus.anonymous().get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


async def test_what_happened_is_counted_once(hortus: Hortus, vendor: OpenAIEmulator):
    before = await read(hortus)
    client = await hortus.customer()
    vendor.fail("error", times=1)
    made = await client.post("/api/text/generate", json={"prompt": "Hello"})
    assert made.status_code in (200, 502, 503), made.text
    accepted = (await client.post("/api/image/generate", json={"prompt": "A fig tree"})).json()
    finished = await ended(client, accepted["id"])
    await hortus.resources[EmbeddedEngine].idle()
    await client.get("/api/generations/0195b0a0-0000-7000-8000-000000000000")
    await client.get("/api/generations/0195b0a0-0000-7000-8000-000000000001")
    await client.get("/nobody/knows/this/path/7f3a")
    after = await read(hortus)

    def grew(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grew("hortus_sign_ups_total") == 1
    assert grew("hortus_generations_ended_total", kind="image", status=finished["status"]) == 1
    route = "/api/generations/{generation_id}"
    assert grew("hortus_http_requests_total", method="GET", route=route, status="404") == 2
    assert grew("hortus_http_requests_total", method="GET", route="unmatched", status="404") == 1
    assert grew("hortus_http_request_seconds_count", method="POST", route="/api/auth/register") == 1
    assert grew("hortus_tasks_total", task="generation.image", outcome="done") >= 1
    assert (
        sum(
            after[key] - before.get(key, 0)
            for key in after
            if key[0] == "hortus_provider_calls_total" and ("outcome", "unavailable") in key[1]
        )
        == 1
    )
    async with hortus.database.snapshot() as tx:
        query = "SELECT COALESCE(SUM(amount), 0) FROM ledger_entries WHERE account = 'revenue'"
        revenue = (await tx.execute(text(query))).scalar_one()
    assert grew("hortus_settled_micro_credits_total") == revenue
    assert not [key for key in after if "7f3a" in str(key) or "0195b0a0" in str(key)]


async def test_how_things_stand(hortus: Hortus):
    for name in invariants.CHECKS:
        assert (await invariants.run_check(hortus.resources, name)).violations == []
    samples = await read(hortus)
    assert value(samples, "hortus_database_up") == 1
    assert value(samples, "hortus_workers", kind="embedded") == 1
    assert ("hortus_queue_waiting", frozenset({("queue", "media")})) in samples
    for name in invariants.CHECKS:
        assert samples["hortus_invariant_violations", frozenset({("check", name)})] == 0
        assert samples["hortus_invariant_check_age_seconds", frozenset({("check", name)})] < 60
    breakers = [key for key in samples if key[0] == "hortus_breaker" and samples[key]]
    assert breakers
    assert all(("state", "closed") in labels for _, labels in breakers)
    assert value(samples, "process_resident_memory_bytes") > 2**20


async def test_a_backlog_shows(hortus: Hortus):
    task = (
        "INSERT INTO tasks (id, name, queue, payload, status, priority, fair_round, run_at, attempts, max_attempts, "
        "fence, request_id, created_at, lease_until) VALUES (:id, 'no.handler', :queue, '{}', :status, 0, 0, :then, 0, "
        "5, 0, '-', :then, :then)"
    )
    then = "2026-01-01 00:00:00.000000"
    if hortus.database.dialect == "postgresql":
        task = task.replace(":then", f"TIMESTAMPTZ '{then}+00'")
    else:
        task = task.replace(":then", f"'{then}'")
    # A queue of which the embedded worker has no room left cannot be made here: the dead and the lost are told.
    async with hortus.database.transaction() as tx:
        await tx.execute(text(task), {"id": "dead-1", "queue": "mail", "status": "dead"})
    samples = await read(hortus)
    assert value(samples, "hortus_dead_letters") == 1


async def test_who_may_read_them(database_url: str, tmp_path):
    async with serve(database_url, tmp_path, metrics_token="s3-of-the-scraper") as hortus:
        client = hortus.anonymous()
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3-of-the-scraper"}):
            refused = await client.get("/metrics", headers=header)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        answer = await client.get("/metrics/", headers={"Authorization": "Bearer s3-of-the-scraper"})
        assert answer.status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_a_token_only_the_neighbourhood(database_url: str, tmp_path):
    async with serve(database_url, tmp_path / "a") as hortus:
        client = hortus.anonymous()
        assert (await client.get("/metrics", headers={"Host": "10.1.2.3:8000"})).status_code == 200
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):  # a proxy that nobody named
            assert (await client.get("/metrics", headers={name: "10.0.0.1"})).status_code == 403
    async with serve(database_url, tmp_path / "b", trusted_proxies=["127.0.0.1"]) as hortus:
        client = hortus.anonymous()
        for address, status in (("10.0.0.7", 200), ("fd00::7", 200), ("8.8.8.8", 403), ("2001:db8::1", 403)):
            answer = await client.get("/metrics", headers={"X-Forwarded-For": address})
            assert answer.status_code == status, address
        refused = (await client.get("/metrics", headers={"X-Forwarded-For": "8.8.8.8"})).json()
        assert (refused["code"], "METRICS_TOKEN" in refused["detail"]) == ("forbidden", True)


# Of processes that serve nobody -------------------------------------------------


@pytest.mark.parametrize("command", ["worker", "scheduler"])
async def test_a_process_without_an_api_has_a_page_of_its_own(database_url: str, tmp_path: Path, command: str):
    await build(database_url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {"DATABASE_URL": database_url, "WORKER_METRICS_PORT": str(port), "LOG_FORMAT": "json"}
    log = tmp_path / "log"
    with log.open("wb") as written:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hortus", command, "--data", str(tmp_path / "data"),
            env={**os.environ, **given}, cwd=tmp_path, stdout=written, stderr=written,
        )  # fmt: skip
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            page = await answered(client, "/metrics", child)
            names = {family.name for family in text_string_to_metric_families(page.text)}
            assert {"hortus_tasks", "hortus_queue_waiting", "hortus_database_up"} <= names
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/ready")).json()["status"] == "ok"
            for path in ("/api/user/me", "/docs", "/openapi.json"):
                refused = await client.get(path)
                assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 20) == 0, log.read_text()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def answered(client: httpx2.AsyncClient, path: str, child: asyncio.subprocess.Process) -> httpx2.Response:
    async with asyncio.timeout(30):
        while True:
            assert child.returncode is None, "it ended"
            with contextlib.suppress(httpx2.TransportError):
                return await client.get(path)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_port_that_is_taken_stops_no_work(database_url: str, tmp_path: Path, capsys):
    await build(database_url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(
            data_dir=tmp_path,
            database_url=database_url,
            secret_key="k" * 40,
            worker_metrics_port=taken.getsockname()[1],
        )
        async with open_app(settings, work=True, role="worker") as resources:
            await resources[EmbeddedEngine].idle()
    assert "worker_metrics_not_served" in "".join(capsys.readouterr())

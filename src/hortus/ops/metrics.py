"""`/metrics` in the text format of Prometheus: counters of this process, gauges read from database and Redis."""

import asyncio
import hmac
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Final

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

import hortus
from hortus import billing, tasks
from hortus.core import clock, invariant_checks
from hortus.core.db import Database
from hortus.core.errors import Forbidden, Unauthenticated
from hortus.core.invariant_checks import LastCheck
from hortus.core.redis import Redis
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.deps import AllResources, client_ip_of, resources_of
from hortus.core.web.openapi import operation_id, public
from hortus.routing import Catalog, OfferHealth

log = structlog.get_logger()
WITHIN: Final = 2.0
CACHE_SECONDS: Final = 5.0
"""Seconds for which the values read from the database are cached."""
PRIVATE_NETWORKS: Final = tuple(
    ip_network(each)
    for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
)
_FORWARDED: Final = ("x-forwarded-for", "x-real-ip", "forwarded")
STATES: Final = ("closed", "half_open", "open")


@dataclass(slots=True)
class _Shared:
    """The values read from the database."""

    up: bool = False
    queue_stats: list[tasks.QueueStats] = field(default_factory=list)
    dead: int = 0
    unmatched: int = 0
    workers: dict[str, int] = field(default_factory=dict)
    checks: list[LastCheck] = field(default_factory=list)


class Metrics:
    """All metrics as text."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._shared, self._until = _Shared(), 0.0
        self._lock = asyncio.Lock()

    async def text(self) -> bytes:
        """The whole page. If the database is away, only its own values are missing."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._shared = await self._ask()
                self._until = time.monotonic() + (CACHE_SECONDS if self._shared.up else 0.0)
        now = CollectorRegistry(auto_describe=False)
        now.register(_Now(self._resources, self._shared))
        return generate_latest(REGISTRY) + generate_latest(now)

    async def _ask(self) -> _Shared:
        try:
            async with asyncio.timeout(WITHIN), self._resources[Database].snapshot() as tx:
                alive = [worker.kind for worker in await tasks.workers(tx)]
                return _Shared(
                    up=True,
                    queue_stats=await tasks.queue_stats(tx, tasks.QUEUES),
                    dead=await tasks.count_dead_letters(tx),
                    unmatched=await billing.unmatched_payments(tx),
                    workers={kind: alive.count(kind) for kind in ("embedded", "celery", "scheduler")},
                    checks=await invariant_checks.last(tx),
                )
        except Exception as error:  # any driver's any error; the page goes without these values
            log.warning("metrics_without_database", error=type(error).__name__)
            return _Shared()


class _Now(Collector):
    """The gauges at this moment."""

    def __init__(self, resources: Resources, shared: _Shared) -> None:
        self._resources, self._shared = resources, shared

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        yield _gauge("hortus_build_info", "The version that runs.", ["version"], {(hortus.__version__,): 1})
        yield GaugeMetricFamily("hortus_database_up", "Whether the database answered.", self._shared.up)
        yield from self._work()
        yield from self._invariants()
        yield from self._breakers()
        yield from self._redis()

    def _work(self) -> Iterator[Metric]:
        stats, by = self._shared.queue_stats, ["queue"]
        about = "Tasks that could be claimed now, by queue; counted up to 10000."
        yield _gauge("hortus_queue_waiting", about, by, {(each.queue,): each.waiting for each in stats})
        about = "For how long the oldest of them waits."
        yield _gauge("hortus_queue_oldest_seconds", about, by, {(each.queue,): each.oldest_age_s for each in stats})
        about = "Tasks whose lease has expired and that no worker has claimed again."
        yield _gauge("hortus_queue_expired_leases", about, by, {(each.queue,): each.expired_leases for each in stats})
        if self._shared.up:
            yield GaugeMetricFamily("hortus_dead_letters", "Tasks that were given up.", self._shared.dead)
            about = "Payments that fit no order and wait to be refunded or assigned; counted up to 1000."
            yield GaugeMetricFamily("hortus_payments_unmatched", about, self._shared.unmatched)
        about = "Processes alive in the last minute, by kind."
        yield _gauge("hortus_workers", about, ["kind"], {(kind,): n for kind, n in self._shared.workers.items()})

    def _invariants(self) -> Iterator[Metric]:
        now, found, by = clock.now(), self._shared.checks, ["check"]
        about = "Violations that the last run of the check found; 0 is right."
        yield _gauge("hortus_invariant_violations", about, by, {(each.name,): each.violations for each in found})
        ages = {(each.name,): max(0.0, (now - each.checked_at).total_seconds()) for each in found}
        yield _gauge("hortus_invariant_check_age_seconds", "Seconds since the last run of the check.", by, ages)
        about = "Seconds that the last run took."
        yield _gauge(
            "hortus_invariant_check_duration_seconds", about, by, {(each.name,): each.ms / 1000 for each in found}
        )
        about = "Rows that the last run checked."
        yield _gauge("hortus_invariant_check_rows", about, by, {(each.name,): each.checked for each in found})

    def _breakers(self) -> Iterator[Metric]:
        health = self._resources[OfferHealth]
        catalog = self._resources[Catalog]
        offers = {(offer.provider, offer.model) for model in catalog.models for offer in model.offer}
        states = {
            (provider, model, state): int(health.state(provider, model) == state)
            for provider, model in sorted(offers)
            for state in STATES
        }
        about = "Whether the vendor refuses this installation's key; its offers are off until it accepts the key again."
        refused = {(name,): int(health.key_is_refused(name)) for name in sorted({provider for provider, _ in offers})}
        yield _gauge("hortus_provider_key_refused", about, ["provider"], refused)
        about = "The circuit breaker of each offer in this process: 1 at the state it is in."
        yield _gauge("hortus_breaker", about, ["provider", "model", "state"], states)

    def _redis(self) -> Iterator[Metric]:
        if not self._resources[Settings].redis_url:
            return
        redis = self._resources[Redis]
        yield GaugeMetricFamily("hortus_redis_up", "Whether Redis answers this process.", redis.up)
        for name, about, value in (
            ("commands", "Commands sent to Redis.", redis.counts.commands),
            ("batches", "Round trips to Redis.", redis.counts.batches),
            ("errors", "Failed talks with Redis.", redis.counts.errors),
            ("outages", "Times that Redis went away.", redis.counts.outages),
        ):
            yield CounterMetricFamily(f"hortus_redis_{name}", about, value)


def _gauge(name: str, about: str, labels: list[str], values: Mapping[Any, float]) -> Metric:
    made = GaugeMetricFamily(name, about, labels=labels)
    for key, value in values.items():
        made.add_metric(key, value)
    return made


async def _may_read(request: Request) -> None:
    """Raises Unauthenticated or Forbidden for a caller that must not read the metrics."""
    token = resources_of(request)[Settings].metrics_token.get_secret_value()
    if token:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            raise Unauthenticated("Send `Authorization: Bearer <METRICS_TOKEN>`.")
        return
    # Behind a proxy that TRUSTED_PROXIES does not name, the client may be anywhere, whatever the proxy's address.
    hidden = not resources_of(request)[Settings].proxies and any(name in request.headers for name in _FORWARDED)
    if hidden or not _is_private(client_ip_of(request)):
        raise Forbidden("Metrics are served to this machine and private networks only, unless METRICS_TOKEN is set.")


def _is_private(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in PRIVATE_NETWORKS if network.version == found.version)


router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)
_open = public("guarded by METRICS_TOKEN, or else served to private networks only")


@router.get("/metrics", openapi_extra=_open, response_class=Response, dependencies=[Depends(_may_read)])
async def metrics(resources: AllResources) -> Response:
    """The metrics of this process, for Prometheus. Scrape every process: each has its own."""
    return Response(await resources[Metrics].text(), media_type=None, headers={"Content-Type": CONTENT_TYPE_LATEST})

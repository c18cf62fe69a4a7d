"""Prometheus metrics of this process: every counter and histogram, incremented where the work is done.

Label values come from this code and the catalogue (route templates, task names, models), never from callers, so the
number of series is bounded. Shared state, such as the length of a queue, is read at scrape time.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

UNMATCHED: Final = "unmatched"
METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))

REQUESTS = Counter("hortus_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "hortus_http_request_seconds",
    "From the arrival of a request to the head of its answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
IN_PROGRESS = Gauge("hortus_http_requests_in_progress", "Requests in progress, open streams included.")

TASKS = Counter("hortus_tasks", "Runs of background tasks by outcome.", ["task", "outcome"])
TASK_SECONDS = Histogram(
    "hortus_task_seconds",
    "Duration of one run of a background task.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1200),
)

PROVIDER_CALLS = Counter(
    "hortus_provider_calls",
    "Calls of AI providers: succeeded, or the class of the error.",
    ["provider", "model", "outcome"],
)
PROVIDER_SECONDS = Histogram(
    "hortus_provider_call_seconds",
    "From the start of a provider's work to its end.",
    ["provider", "model"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 1200),
)

CACHE = Counter("hortus_cache_lookups", "Lookups in the caches of this process.", ["cache", "result"])
LOG_ERRORS = Counter("hortus_log_errors", "Log lines of level error.")

SIGN_UPS = Counter("hortus_sign_ups", "Accounts created.")
GENERATIONS = Counter("hortus_generations_ended", "Generations that ended.", ["kind", "status"])
SETTLED = Counter("hortus_settled_micro_credits", "Micro-credits charged to customers.")
PAYMENTS = Counter("hortus_payments", "Payments booked: received, failed, reversed.", ["outcome"])
for _outcome in ("received", "failed", "reversed"):
    PAYMENTS.labels(_outcome)  # present from the start, so that the first one is an increase


def count_task(task: str, outcome: str, seconds: float) -> None:
    """Count one run of a background task: `done`, `retried`, `dead`, `lost`, `not_closed` or `handed_back`."""
    TASKS.labels(task, outcome).inc()
    TASK_SECONDS.labels(task).observe(seconds)


def count_provider_call(provider: str, model: str, outcome: str, seconds: float) -> None:
    """Count one call of a provider."""
    PROVIDER_CALLS.labels(provider, model, outcome).inc()
    PROVIDER_SECONDS.labels(provider, model).observe(seconds)


class CacheStats:
    """Counts the lookups in one cache."""

    def __init__(self, cache: str) -> None:
        self.hit, self.miss = CACHE.labels(cache, "hit"), CACHE.labels(cache, "miss")

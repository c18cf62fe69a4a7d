"""The doorbell over a broker: Celery carries the news that a row waits, and nothing else.

A message names a queue and rows that were born. Whoever gets it claims as many rows of that queue in fair order, so
a message that is lost, repeated or late changes nothing: rows are claimed once, and the scheduler rings again.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Full
from queue import Queue as Line
from typing import Any

import structlog
from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from hortus.tasks import queue
from hortus.tasks.kinds import QUEUES

log = structlog.get_logger()
RUN = "hortus.run"
TICK = "hortus.tick"
PREFIX = "hortus."
SPARE = 4
"""Threads beyond the room, for messages that find it full: they never wait behind work."""
TOGETHER: Mapping[str, int] = {"interactive": 16, "media": 1, "mail": 16, "maintenance": 1}
"""Rows that one message tells of: work that mostly waits for others needs no message each, work that keeps a
processor busy is spread over the workers."""
MOST = 32
"""Messages per queue and batch: whoever answers one goes on while more waits."""
BACKLOG = 10_000
AWAY = (OperationalError, OSError)
VISIBILITY = 120
"""Seconds until Redis gives an unanswered message to another worker. Shorter than many a task, on purpose: a second
doorbell is harmless, the lease of the row decides who works."""


class _Connection(Connection):
    """Looks for a broker that is away every other second, however long it has been away."""

    def _ensure_connection(self, *given: Any, **options: Any) -> Any:
        ensure: Any = super()._ensure_connection  # kombu carries few types
        return ensure(*given, **{"interval_step": 0, "interval_max": 2, **options})


def _forget_with_the_connection() -> None:
    """Let messages from Redis be forgotten with the connection that they came over.

    The transport would give them back to a server that is away, or answer them on a channel that is closed, and either
    ends the worker. They are doorbells: the scheduler rings again for their rows.
    """
    from kombu.transport import redis  # noqa: PLC0415 - RabbitMQ needs none of it

    library: Any = redis

    class Held(library.QoS):  # type: ignore[misc] # kombu carries few types
        def ack(self, delivery_tag: str) -> None:
            if self.channel.connection is not None:
                super().ack(delivery_tag)

        def reject(self, delivery_tag: str, requeue: bool = False) -> None:
            if self.channel.connection is not None:
                super().reject(delivery_tag, requeue)

    library.Channel.QoS, library.Channel.do_restore = Held, False


def make_app(broker: str, room: Mapping[str, int]) -> Celery:
    """The Celery application. JSON only, no results; what a task did is in its row."""
    app = Celery("hortus", broker=broker, set_as_current=False)
    app.amqp.Connection = _Connection
    redis = broker.startswith(("redis", "rediss", "sentinel", "valkey"))
    if redis:
        _forget_with_the_connection()
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_queues=[_queue(name) for name in QUEUES],
        task_default_queue=PREFIX + "interactive",
        task_default_exchange="",
        task_create_missing_queues=False,
        worker_pool="threads",
        worker_concurrency=sum(room.values()) + SPARE,
        worker_prefetch_multiplier=1,
        # After a lost connection it would set the prefetch from a thread of the pool, and hang the worker on RabbitMQ.
        worker_enable_prefetch_count_reduction=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=3,
        broker_heartbeat=30,
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 3,
            "socket_timeout": 10,
            "socket_keepalive": True,
        }
        if redis
        else {},
        # For those who run `celery beat` anyway; ours needs none.
        beat_schedule={
            TICK: {"task": TICK, "schedule": 1.0, "options": {"queue": PREFIX + "maintenance", "expires": 2}}
        },
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _queue(name: str) -> Any:
    make: Any = Queue  # kombu carries few types
    return make(PREFIX + name, routing_key=PREFIX + name, durable=True)


class Bell:
    """Publishes from a thread of its own: nobody waits for the broker, and its absence is logged, counted, survived."""

    def __init__(self, app: Celery) -> None:
        self.published, self.failed = 0, 0
        self._app = app
        self._waiting: Line[tuple[str, Sequence[str], int] | None] = Line(BACKLOG)
        self._thread = threading.Thread(target=self._publish_loop, name="doorbell", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Ring for whatever this process enqueues from now on."""
        queue.listen(self.ring)
        self._thread.start()

    async def stop(self) -> None:
        """Publish what waits, for a moment at most."""
        queue.unlisten(self.ring)
        self._stopped = True
        self._put(None)
        await asyncio.to_thread(self._thread.join, 3.0)

    def ring(self, name: str, ids: Sequence[str], hops: int = 0) -> None:
        """Tell some worker that these rows of a queue wait. Never blocks, never raises."""
        self._put((name, ids, hops))

    def remind(self, waiting: Mapping[str, int]) -> None:
        """Ring until the broker holds as many messages as rows wait; it never gathers more."""
        for name, count in waiting.items():
            self._put((name, [""] * count, -1))

    def _put(self, news: tuple[str, Sequence[str], int] | None) -> None:
        try:
            self._waiting.put_nowait(news)
        except Full:  # the broker is away, and the scheduler will find the rows
            self.failed += 1

    def _publish_loop(self) -> None:
        well = True
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                self._publish([news for news in batch if news is not None])
                if not well:
                    log.info("broker_back")
                well = True
            except Exception as error:  # any transport's any error: the rows are safe, the scheduler rings again
                self.failed += 1
                if well:
                    log.warning("broker_away", error=f"{type(error).__name__}: {error}"[:300])
                well = False
                if not isinstance(error, AWAY):
                    log.exception("doorbell_failed")
                if not self._stopped:
                    time.sleep(0.5)
            if None in batch:
                return

    def _publish(self, batch: Iterable[tuple[str, Sequence[str], int]]) -> None:
        rung: Counter[str] = Counter()
        with self._app.producer_pool.acquire(block=True) as producer:
            for name, ids, hops in batch:
                told = [ids[start : start + TOGETHER[name]] for start in range(0, len(ids), TOGETHER[name])]
                lacking = MOST - rung[name]
                if hops < 0:  # a reminder
                    lacking = min(lacking, len(told) - _queue(name)(producer.channel).queue_declare().message_count)
                for rows in told[: max(lacking, 0)]:
                    self._app.send_task(
                        RUN,
                        args=(name, rows, max(hops, 0)),
                        queue=PREFIX + name,
                        producer=producer,
                        retry=True,
                        retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1},
                    )
                    rung[name] += 1
        self.published += rung.total()


def set_tasks(app: Celery, run: Callable[[str, Sequence[str], int], str], tick: Callable[[], str]) -> None:
    """Make `run(queue, rows, hops)` and `tick()` what a worker process of `app` does when told."""

    def answer(name: str, rows: Sequence[str] | str = ("",), hops: int = 0) -> str:
        return run(name, [rows] if isinstance(rows, str) else rows, hops)  # older versions tell of one row

    def beat() -> str:
        return tick()

    decorate: Any = app.task  # Celery carries no types
    decorate(name=RUN)(answer)
    decorate(name=TICK, acks_late=False)(beat)

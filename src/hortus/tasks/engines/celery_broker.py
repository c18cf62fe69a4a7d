"""Wake-up messages through a Celery broker: they say that rows wait, and carry no work.

A message names a queue and new rows. Its receiver claims as many rows of that queue in fair order, so a message that
is lost, repeated or late changes nothing: rows are claimed once, and the scheduler repeats the notification.
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
from hortus.tasks.registry import QUEUES

log = structlog.get_logger()
RUN = "hortus.run"
TICK = "hortus.tick"
PREFIX = "hortus."
SPARE_THREADS = 4
"""Threads beyond the slots, for messages that find no free slot: they must not wait behind running tasks."""
ROWS_PER_MESSAGE: Mapping[str, int] = {"interactive": 16, "media": 1, "mail": 16, "maintenance": 1}
"""Rows per message: tasks that mostly wait for I/O share one, tasks that use the CPU are spread over the workers."""
MAX_MESSAGES = 32
"""Messages per queue and batch: the receiver of one drains the queue anyway."""
BACKLOG = 10_000
UNREACHABLE = (OperationalError, OSError)
VISIBILITY = 120
"""Seconds until Redis gives an unanswered message to another worker. Shorter than many tasks, on purpose: a second
message is harmless, the lease of the row decides which worker runs it."""


class _Connection(Connection):
    """Retries an unreachable broker every other second, without a growing interval."""

    def _ensure_connection(self, *given: Any, **options: Any) -> Any:
        ensure: Any = super()._ensure_connection  # kombu carries few types
        return ensure(*given, **{"interval_step": 0, "interval_max": 2, **options})


def _drop_messages_with_connection() -> None:
    """Drop messages from Redis with the connection that they arrived on.

    The transport would restore them to an unreachable server, or acknowledge them on a closed channel, and either
    ends the worker. They are only notifications: the scheduler repeats them.
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


def make_app(broker: str, slots: Mapping[str, int]) -> Celery:
    """The Celery application. JSON only, no result backend; the outcome of a task is in its row."""
    app = Celery("hortus", broker=broker, set_as_current=False)
    app.amqp.Connection = _Connection
    redis = broker.startswith(("redis", "rediss", "sentinel", "valkey"))
    if redis:
        _drop_messages_with_connection()
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
        worker_concurrency=sum(slots.values()) + SPARE_THREADS,
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
        # For operators that run `celery beat` anyway; workers schedule without it.
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


class Notifier:
    """Publishes from its own thread, so that no caller waits for the broker; failures are logged and counted."""

    def __init__(self, app: Celery) -> None:
        self.published, self.failed = 0, 0
        self._app = app
        self._waiting: Line[tuple[str, Sequence[str], int] | None] = Line(BACKLOG)
        self._thread = threading.Thread(target=self._publish_loop, name="notifier", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Publish a message for every task that this process enqueues from now on."""
        queue.subscribe(self.notify)
        self._thread.start()

    async def stop(self) -> None:
        """Publish pending messages, for at most three seconds."""
        queue.unsubscribe(self.notify)
        self._stopped = True
        self._put(None)
        await asyncio.to_thread(self._thread.join, 3.0)

    def notify(self, name: str, ids: Sequence[str], forwards: int = 0) -> None:
        """Send workers a message that these rows of a queue wait. Never blocks, never raises."""
        self._put((name, ids, forwards))

    def remind(self, waiting: Mapping[str, int]) -> None:
        """Publish messages until the broker holds as many as rows wait, never more."""
        for name, count in waiting.items():
            self._put((name, [""] * count, -1))

    def _put(self, message: tuple[str, Sequence[str], int] | None) -> None:
        try:
            self._waiting.put_nowait(message)
        except Full:  # the broker is unreachable; the scheduler will find the rows
            self.failed += 1

    def _publish_loop(self) -> None:
        reachable = True
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                self._publish([message for message in batch if message is not None])
                if not reachable:
                    log.info("broker_back")
                reachable = True
            except (
                Exception
            ) as error:  # transports raise many types; the rows are safe, and the scheduler repeats the notification
                self.failed += 1
                if reachable:
                    log.warning("broker_away", error=f"{type(error).__name__}: {error}"[:300])
                reachable = False
                if not isinstance(error, UNREACHABLE):
                    log.exception("notify_failed")
                if not self._stopped:
                    time.sleep(0.5)
            if None in batch:
                return

    def _publish(self, batch: Iterable[tuple[str, Sequence[str], int]]) -> None:
        sent: Counter[str] = Counter()
        with self._app.producer_pool.acquire(block=True) as producer:
            for name, ids, forwards in batch:
                messages = [
                    ids[start : start + ROWS_PER_MESSAGE[name]] for start in range(0, len(ids), ROWS_PER_MESSAGE[name])
                ]
                allowed = MAX_MESSAGES - sent[name]
                if forwards < 0:  # a reminder
                    allowed = min(allowed, len(messages) - _queue(name)(producer.channel).queue_declare().message_count)
                for rows in messages[: max(allowed, 0)]:
                    self._app.send_task(
                        RUN,
                        args=(name, rows, max(forwards, 0)),
                        queue=PREFIX + name,
                        producer=producer,
                        retry=True,
                        retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1},
                    )
                    sent[name] += 1
        self.published += sent.total()


def set_tasks(app: Celery, run: Callable[[str, Sequence[str], int], str], tick: Callable[[], str]) -> None:
    """Register `run(queue, rows, forwards)` and `tick()` as the tasks of `app`."""

    def handle(name: str, rows: Sequence[str] | str = ("",), forwards: int = 0) -> str:
        return run(name, [rows] if isinstance(rows, str) else rows, forwards)  # a message of one row

    def beat() -> str:
        return tick()

    decorate: Any = app.task  # Celery carries no types
    decorate(name=RUN)(handle)
    decorate(name=TICK, acks_late=False)(beat)

"""Sends the sandbox's webhooks: signed, over HTTP, retried until they are accepted."""

import hmac
import json

from hortus import tasks
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.http import Http, HttpError
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.payments.sandbox import store
from hortus.payments.sandbox.tables import SandboxEvent

HEADER = "Sandbox-Signature"


def body_of(event: SandboxEvent) -> bytes:
    """The body of the webhook of an event."""
    said = {
        "id": event.id,
        "type": event.kind,
        "created": clock.iso(event.created_at),
        "subject": {"kind": event.subject_kind, "id": event.subject_id},
    }
    return json.dumps(said, separators=(",", ":")).encode()


def sign(keys: tuple[bytes, ...], body: bytes, moment: int) -> str:
    """The signature header of `body` at `moment` (Unix seconds)."""
    return f"t={moment},v1={hmac.new(keys[0], b'%d.' % moment + body, 'sha256').hexdigest()}"


def signing_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that sign the sandbox's webhooks, the current one first."""
    return settings.keys_for("sandbox webhook")


async def _deliver(resources: Resources, task: tasks.ClaimedTask) -> None:
    settings = resources[Settings]
    async with resources[Database].snapshot() as tx:
        event = await store.event(tx, task.payload["event_id"])
    if event is None:
        return
    body = body_of(event)
    header = sign(signing_keys(settings), body, int(clock.now().timestamp()))
    try:
        answer = await resources[Http].request(
            "POST",
            f"{settings.origin}/api/webhook/sandbox",
            headers={HEADER: header, "Content-Type": "application/json"},
            body=body,
            timeout=15,
        )
    except HttpError as error:
        raise tasks.Retry(reason=f"no response from the webhook: {error}") from None
    if not 200 <= answer.status < 300:
        raise tasks.Retry(reason=f"the webhook answered {answer.status}")


DELIVER = tasks.register("sandbox.deliver", _deliver, time_limit=30, attempts=12, backoff=1, longest_backoff=600)

"""Dead letters are requeued, and cancelled tasks are not charged."""

import httpx2
from sqlalchemy import text
from tests.admin.conftest import audit_of, id_of
from tests.helpers.server import Hortus

from hortus.core import ids
from hortus.core.db import Database

WHY = {"reason": "After the repair"}


async def put(database: Database, **values: str) -> str:
    """A dead letter without a handler, so that it fails again at once when it is requeued."""
    row = {"id": ids.new(), "key": None, "status": "dead", "name": "nobody.handles"} | values
    statement = (
        "INSERT INTO tasks (id, name, queue, payload, status, priority, fair_round, run_at, attempts, max_attempts, "
        "fence, key, request_id, error, created_at) VALUES (:id, :name, 'maintenance', '{}', :status, 0, 0, "
        "'2030-01-01 00:00:00.000000', 5, 5, 5, :key, '-', 'broken', '2026-01-01 00:00:00.000000')"
    )
    async with database.transaction() as tx:
        await tx.execute(text(statement), row)
    return row["id"]


async def do(client: httpx2.AsyncClient, task_id: str, verb: str) -> httpx2.Response:
    return await client.post(f"/api/admin/tasks/{task_id}/{verb}", json=WHY)


async def test_a_dead_letter_is_read_and_requeued(hortus: Hortus, root):
    task_id = await put(hortus.database)
    (listed,) = (await root.get("/api/admin/tasks", params={"status": "dead"})).json()["items"]
    assert (listed["id"], listed["error"], listed["periodic"]) == (task_id, "broken", False)
    assert (await root.get(f"/api/admin/tasks/{task_id}")).json()["payload"] is None  # it may contain confidential data
    standing = (await root.get("/api/admin/queues")).json()
    assert {"queue": "maintenance", "status": "dead", "count": 1, "oldest": "2026-01-01T00:00:00Z"} in standing[
        "queues"
    ]
    answer = await do(root, task_id, "requeue")
    assert (answer.status_code, answer.json()["status"], answer.json()["attempts"]) == (200, "queued", 0)
    (event,) = await audit_of(root, target_id=task_id)
    assert (event["action"], event["details"], event["note"]) == (
        "task.requeued",
        {"name": "nobody.handles"},
        WHY["reason"],
    )


async def test_what_cannot_be_requeued_or_cancelled_is_a_conflict(hortus: Hortus, root):
    done = await put(hortus.database, status="done")
    answer = await do(root, done, "requeue")
    assert (answer.status_code, answer.json()["code"], answer.json()["status_now"]) == (409, "task_not_dead", "done")
    assert (await do(root, done, "cancel")).json()["code"] == "task_ended"
    twin, _live = await put(hortus.database, key="k"), await put(hortus.database, key="k", status="queued")
    answer = await do(root, twin, "requeue")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_already_queued")
    assert (await do(root, ids.new(), "requeue")).json()["code"] == "task_not_found"
    assert await audit_of(root) == []  # nothing was done


async def test_cancelling_the_task_of_a_generation_gives_the_credits_back(hortus: Hortus, root):
    customer = await hortus.customer()
    before = (await customer.get("/api/user/usage")).json()
    made = (await customer.post("/api/video/generate", json={"prompt": "A kite over the sea"})).json()
    listed = (await root.get("/api/admin/tasks", params={"name": "generation.video"})).json()["items"]
    (task,) = [each for each in listed if each["user_id"] == id_of(customer)]
    answer = await do(root, task["id"], "cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    ended = (await customer.get(f"/api/generations/{made['id']}")).json()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "interrupted")
    after = (await customer.get("/api/user/usage")).json()
    assert (after["credits"], after["windows"]) == (before["credits"], before["windows"])

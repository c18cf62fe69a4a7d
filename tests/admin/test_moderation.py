"""A takedown blocks access for all callers, and its owner is notified."""

import asyncio
from collections import Counter

import httpx2
from tests.admin.conftest import audit_of, id_of
from tests.helpers.server import Hortus, ended

from hortus.core import ids

WHY = {"reason": "It shows a person without consent"}


async def take_down(client: httpx2.AsyncClient, generation_id: str) -> httpx2.Response:
    return await client.post(f"/api/admin/generations/{generation_id}/take-down", json=WHY)


async def test_an_image_is_taken_down(hortus: Hortus, root):
    customer, support = await hortus.customer(), await hortus.staff("support")
    made = await ended(customer, (await customer.post("/api/image/generate", json={"prompt": "kite"})).json()["id"])
    url = made["outputs"][0]["url"]
    assert (await customer.get(url)).status_code == 200
    (listed,) = (await support.get("/api/admin/generations", params={"user_id": id_of(customer)})).json()["items"]
    assert (listed["id"], listed["prompt"], listed["taken_down_at"]) == (made["id"], "kite", None)
    assert "cost" not in listed
    answers = await asyncio.gather(*(take_down(root, made["id"]) for _ in range(3)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 2}
    down = next(answer for answer in answers if answer.status_code == 200).json()
    assert (down["outputs"], down["withheld"]["outputs"][0]["file_id"]) == ([], made["outputs"][0]["file_id"])
    seen = (await customer.get(f"/api/generations/{made['id']}")).json()
    assert (seen["status"], seen["outputs"], seen["error"]["code"]) == ("succeeded", [], "taken_down")
    assert "withheld" not in seen
    assert (await customer.get(url)).status_code == 404
    assert (await customer.get(f"/api/generations/{made['id']}/download")).status_code == 409
    assert (await customer.get(f"/api/upload/file/{made['outputs'][0]['file_id']}")).status_code == 404
    found = (await support.get("/api/admin/generations", params={"taken_down": True})).json()["items"]
    assert [each["id"] for each in found] == [made["id"]]
    (event,) = await audit_of(root, target_id=made["id"])
    assert (event["action"], event["details"]) == (
        "generation.taken_down",
        {"user_id": id_of(customer), "kind": "image"},
    )


async def test_a_live_work_is_cancelled_and_not_charged(hortus: Hortus, root):
    customer = await hortus.customer()
    before = (await customer.get("/api/user/usage")).json()["credits"]
    made = (await customer.post("/api/video/generate", json={"prompt": "A long walk along the sea"})).json()
    assert (await take_down(root, made["id"])).json()["status"] == "cancelled"
    assert (await customer.get("/api/user/usage")).json()["credits"] == before


async def test_a_reply_is_taken_down_from_its_room_and_its_context(hortus: Hortus, root):
    customer = await hortus.customer()
    room_id = (await customer.post("/api/chatroom", json={"title": "Room"})).json()["id"]
    sent = (await customer.post(f"/api/chatroom/{room_id}/message", json={"content": "Hello"})).json()
    done = await ended(customer, sent["generation_id"])
    assert done["text"]
    assert (await take_down(root, done["id"])).status_code == 200
    messages = (await customer.get(f"/api/chatroom/{room_id}")).json()["messages"]
    reply = next(each for each in messages if each["id"] == sent["reply"]["id"])
    assert (reply["content"], reply["status"]) == ("", "error")
    assert (await customer.get(f"/api/generations/{done['id']}")).json()["text"] is None
    assert (await root.get(f"/api/admin/generations/{done['id']}")).json()["withheld"]["text"] == done["text"]


async def test_works_are_found_by_kind_and_failure(hortus: Hortus, root):
    customer = await hortus.customer()
    text = (await customer.post("/api/text/generate", json={"prompt": "Hello"})).json()["generation_id"]
    for params, expected in (
        ({"kind": "text"}, [text]),
        ({"kind": "video"}, []),
        ({"failed": True}, []),
        ({"user_id": id_of(root)}, []),
    ):
        found = (await root.get("/api/admin/generations", params=params)).json()["items"]
        assert [each["id"] for each in found] == expected
    missing = await take_down(root, ids.new())
    assert (missing.status_code, missing.json()["code"]) == (404, "generation_not_found")

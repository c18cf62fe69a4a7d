"""Every route with an id, as its owner, a stranger and nobody."""

import httpx2
from tests.emulators.openai import OpenAIEmulator
from tests.serving import Hortus, ended

SPARE = "01a1fc1e-6a60-73ba-9a5f-ff6b75a73baa"


async def test_what_is_not_yours_does_not_exist(hortus: Hortus, vendor: OpenAIEmulator):
    owner, stranger, nobody = await hortus.customer(), await hortus.customer(), hortus.anonymous()
    made = (await owner.post("/api/image/generate", json={"prompt": "kite"})).json()
    generation = await ended(owner, made["id"])
    room = (await owner.post("/api/chatroom", json={"title": "Mine"})).json()
    sent = (await owner.post(f"/api/chatroom/{room['id']}/message", json={"content": "Hi"})).json()
    session = (await owner.get("/api/user/sessions")).json()["items"][0]
    known = {
        "generation_id": generation["id"],
        "room_id": room["id"],
        "message_id": sent["message"]["id"],
        "file_id": generation["outputs"][0]["file_id"],
        "session_id": session["id"],
    }
    schema = (await nobody.get("/openapi.json")).json()
    checked = 0
    for path, methods in schema["paths"].items():
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if not names:
            continue
        assert set(names) <= set(known), f"tell this test of a row for {path}"
        for method, operation in methods.items():
            if "x-public" in operation:
                continue
            url = path.format(**known)
            body = {"content": "x", "title": "x"} if method in ("post", "patch") else None
            if path.endswith(("/message", "/message/{message_id}")):
                body = {"content": "x"}
            elif path == "/api/chatroom/{room_id}":
                body = {"title": "x"} if body else None
            elif body is not None:
                body = {}
            assert (await call(nobody, method, url, body)).status_code == 401, (method, path)
            answer = await call(stranger, method, url, body)
            assert answer.status_code == 404, (method, path, answer.text)
            checked += 1
    assert checked >= 20
    assert (await owner.get(f"/api/generations/{generation['id']}")).status_code == 200
    assert (await owner.get(f"/api/chatroom/{room['id']}")).json()["title"] == "Mine"


async def call(client: httpx2.AsyncClient, method: str, url: str, body: dict | None) -> httpx2.Response:
    return await client.request(method.upper(), url, json=body)

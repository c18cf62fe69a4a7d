"""Staff search users; administrators change them, and each change is in the audit log."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from tests.admin.conftest import audit_of, id_of
from tests.helpers.server import PASSWORD, Hortus, serve

from hortus.cli.create_admin import create_admin

WHY = {"reason": "They asked for it"}


async def act(client: httpx2.AsyncClient, user_id: str, verb: str, **body: str) -> httpx2.Response:
    return await client.post(f"/api/admin/users/{user_id}/{verb}", json=WHY | body)


# Look ------------------------------------------------------------------------


async def test_users_are_found_by_id_address_role_and_status(hortus: Hortus, root):
    anna = await hortus.customer("anna.search@example.com")
    await hortus.customer("annabel.search@example.com")
    support, gone = await hortus.staff("support"), await hortus.suspended()

    async def found(**params: str) -> set[str]:
        answer = await support.get("/api/admin/users", params=params)
        assert answer.status_code == 200, answer.text
        return {each["id"] for each in answer.json()["items"]}

    assert await found(q=id_of(anna)) == {id_of(anna)}
    assert await found(q="ANNA.s") == {id_of(anna)}
    assert len(await found(q="anna")) == 2
    assert await found(q="nobody") == set()
    assert await found(q="100%_") == set()
    assert await found(role="admin") == {id_of(root)}
    assert await found(role="support", status="active") == {id_of(support)}
    assert await found(status="suspended") == {id_of(gone)}
    assert await found(q="anna", status="suspended") == set()
    assert len(await found()) == 5


async def test_pages_of_users_miss_none_and_repeat_none(hortus: Hortus, root):
    everybody = {id_of(root)} | {id_of(await hortus.customer()) for _ in range(4)}
    seen: list[str] = []
    cursor = None
    while True:
        page = (await root.get("/api/admin/users", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(everybody, reverse=True)
    assert (await root.get("/api/admin/users", params={"cursor": "nonsense"})).status_code == 422
    assert (await root.get("/api/admin/audit", params={"cursor": "WyJ4Il0"})).status_code == 422


async def test_the_details_tell_no_money_and_no_secret(hortus: Hortus):
    customer, support = await hortus.customer("details@example.com"), await hortus.staff("support")
    shown = (await support.get(f"/api/admin/users/{id_of(customer)}")).json()
    assert shown["identifiers"] == [{"kind": "email", "value": "details@example.com", "verified_at": None}]
    assert (shown["plan"], shown["live_sessions"], shown["has_password"], shown["role"]) == ("basic", 1, True, "user")
    assert {window["kind"] for window in shown["windows"]} == {"chat", "text", "image", "video"}
    assert not {"credits", "balance", "password_hash"} & set(shown)
    unknown = await support.get("/api/admin/users/0199aaaa-0000-7000-8000-000000000000")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "user_not_found")


# Change ----------------------------------------------------------------------


async def test_a_suspension_counts_at_the_next_call_on_every_process(
    hortus: Hortus, root, database_url: str, tmp_path: Path
):
    async with serve(database_url, tmp_path / "second", principal_cache_seconds=0) as second:
        customer = await hortus.customer()
        there = second.anonymous()
        there.headers["Authorization"] = customer.headers["Authorization"]
        for client in (customer, there):
            assert (await client.get("/api/user/me")).status_code == 200
        answer = await act(root, id_of(customer), "suspend")
        assert (answer.status_code, answer.json()["status"]) == (200, "suspended")
        for client in (customer, there):
            refused = await client.get("/api/user/me")
            assert (refused.status_code, refused.json()["code"]) == (403, "account_suspended")
        again = await act(root, id_of(customer), "suspend")
        assert (again.status_code, again.json()["code"]) == (409, "nothing_to_change")
        assert (await act(root, id_of(customer), "unsuspend")).json()["status"] == "active"
        for client in (customer, there):
            assert (await client.get("/api/user/me")).status_code == 401  # a suspension ends every session
        credentials = {"email": customer.tokens["user"]["email"], "password": PASSWORD}
        assert (await second.anonymous().post("/api/auth/login", json=credentials)).status_code == 200
    events = await audit_of(root, target_id=id_of(customer))
    assert [event["action"] for event in events] == ["user.unsuspended", "user.suspended"]
    assert events[0] | {"position": 0} == {
        "position": 0,
        "at": events[0]["at"],
        "actor_id": id_of(root),
        "actor_role": "admin",
        "action": "user.unsuspended",
        "target_kind": "user",
        "target_id": id_of(customer),
        "details": {},
        "note": WHY["reason"],
        "request_id": events[0]["request_id"],
        "digest": events[0]["digest"],
    }
    assert (await audit_of(root, action="user.suspended"))[0]["position"] == events[1]["position"]
    assert await audit_of(root, actor_id=id_of(customer)) == []


async def test_a_role_counts_at_the_next_call(hortus: Hortus, root):
    colleague = await hortus.customer()
    assert (await colleague.get("/api/admin/users")).status_code == 403
    assert (await act(root, id_of(colleague), "role", role="support")).json()["role"] == "support"
    assert (await colleague.get("/api/admin/users")).status_code == 200
    assert (await colleague.get("/api/admin/audit")).status_code == 403
    assert (await act(root, id_of(colleague), "role", role="admin")).status_code == 200
    assert (await colleague.get("/api/admin/audit")).status_code == 200
    same = await act(root, id_of(colleague), "role", role="admin")
    assert (same.status_code, same.json()["code"]) == (409, "nothing_to_change")
    assert (await act(root, id_of(colleague), "role", role="user")).status_code == 200
    assert (await colleague.get("/api/admin/users")).status_code == 403
    roles = [event["details"] for event in await audit_of(root, action="user.role_given")]
    assert roles[0] == {"from": "admin", "to": "user"}


async def test_a_change_needs_a_reason_and_a_post(hortus: Hortus, root):
    customer = await hortus.customer()
    path = f"/api/admin/users/{id_of(customer)}/role"
    for body in ({"role": "admin"}, {"role": "admin", "reason": " "}, {"role": "owner", "reason": "because"}):
        assert (await root.post(path, json=body)).status_code == 422
    assert (await root.get(path, params={"role": "admin"})).status_code == 405
    assert (await hortus.customer()).tokens["user"]["role"] == "user"


async def test_the_last_administrator_stays(hortus: Hortus, root):
    for verb, body in (("role", {"role": "user"}), ("suspend", {})):
        refused = await act(root, id_of(root), verb, **body)
        assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")
    second = await hortus.staff("admin")
    assert (await act(root, id_of(second), "suspend")).status_code == 200
    assert (await act(root, id_of(root), "role", role="user")).json()["code"] == "last_administrator"


@pytest.mark.parametrize(("verb", "body"), [("role", {"role": "user"}), ("suspend", {})])
async def test_administrators_who_remove_each_other_at_once_leave_one(hortus: Hortus, verb: str, body: dict[str, str]):
    admins = [await hortus.staff("admin") for _ in range(4)]
    tries = [act(admins[number - 1], id_of(admin), verb, **body) for number, admin in enumerate(admins)]
    answers = await asyncio.gather(*tries)
    assert {answer.status_code for answer in answers} <= {200, 401, 403, 409}
    async with hortus.database.snapshot() as tx:
        left = text("SELECT count(*) FROM users WHERE role = 'admin' AND status = 'active'")
        assert (await tx.execute(left)).scalar_one() >= 1


async def test_signing_out_ends_every_device(hortus: Hortus, root):
    customer = await hortus.customer()
    credentials = {"email": customer.tokens["user"]["email"], "password": PASSWORD}
    assert (await hortus.anonymous().post("/api/auth/login", json=credentials)).status_code == 200
    assert (await act(root, id_of(customer), "sign-out")).json() == {"sessions_ended": 2}
    assert (await customer.get("/api/user/me")).status_code == 401
    refresh = {"refresh_token": customer.tokens["refresh_token"]}
    assert (await customer.post("/api/auth/refresh", json=refresh)).status_code == 401
    assert (await audit_of(root))[0]["details"] == {"sessions": 2}


async def test_dangerous_changes_need_recent_authentication(hortus: Hortus, root):
    customer = await hortus.customer()
    async with hortus.database.transaction() as tx:
        long_ago = text("UPDATE sessions SET authenticated_at = '2026-01-01 00:00:00.000000' WHERE user_id = :id")
        await tx.execute(long_ago, {"id": id_of(root)})
    refused = await act(root, id_of(customer), "suspend")
    assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")
    assert (await root.post("/api/auth/reauthenticate", json={"password": PASSWORD})).status_code == 200
    assert (await act(root, id_of(customer), "suspend")).status_code == 200


async def test_administrators_created_at_the_console_are_logged(hortus: Hortus, root):
    assert await create_admin(hortus.settings, "console@example.com", PASSWORD) is None
    (event,) = await audit_of(root, action="user.made_staff")
    assert (event["actor_id"], event["actor_role"], event["details"]) == (None, "console", {"role": "admin"})


async def test_verify_returns_the_end_of_the_chain(hortus: Hortus, root):
    await act(root, id_of(await hortus.customer()), "suspend")
    shown = (await root.get("/api/admin/audit/verify")).json()
    assert (shown["intact"], shown["finished"], shown["checked"], shown["head"]) == (True, True, 1, 1)
    assert shown["head_digest"] == (await audit_of(root))[0]["digest"]

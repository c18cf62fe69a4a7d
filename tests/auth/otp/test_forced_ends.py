"""The owner hears of every end of a session or credential that they may not have wanted."""

from tests.auth.otp.test_resets import ADDRESS, NEW, later
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus

from hortus.auth.passkeys.service import add_passkey
from hortus.auth.passkeys.webauthn import NewPasskey

WHY = {"reason": "A test wants it"}


async def owner(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(ADDRESS)
    await mailbox.arrived(ADDRESS, 1)
    return client


async def second_device(hortus: Hortus):
    device = hortus.anonymous()
    tokens = (await device.post("/api/auth/login", json={"email": ADDRESS, "password": PASSWORD})).json()
    device.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return device


async def test_a_refresh_token_used_twice_ends_its_session_and_its_owner_is_told_once(hortus: Hortus, mailbox: Mailbox):
    client = await owner(hortus, mailbox)
    first = client.tokens["refresh_token"]
    await client.post("/api/auth/refresh", json={"refresh_token": first})
    thief = hortus.anonymous()
    with later(60):
        for _ in range(3):
            stolen = await thief.post("/api/auth/refresh", json={"refresh_token": first})
            assert stolen.status_code == 401
        assert "second time" in await mailbox.arrived(ADDRESS, 2)
        assert (await client.get("/api/user/me")).status_code == 401
        # The message of something later comes next: none came for the second and the third try.
        await client.post("/api/auth/forgot-password", json={"email": ADDRESS})
        assert "password" in await mailbox.arrived(ADDRESS, 3)
        assert len([text for text in mailbox.to(ADDRESS) if "second time" in text]) == 1


async def test_signing_out_the_other_devices_is_told(hortus: Hortus, mailbox: Mailbox):
    client = await owner(hortus, mailbox)
    assert (await client.delete("/api/user/sessions")).status_code == 204  # there is no other: nothing to tell
    await second_device(hortus)
    assert (await client.delete("/api/user/sessions")).status_code == 204
    assert "signed out" in await mailbox.arrived(ADDRESS, 2)


async def test_what_an_administrator_ends_is_told(hortus: Hortus, mailbox: Mailbox):
    client = await owner(hortus, mailbox)
    admin = await hortus.staff("admin")
    user_id = client.tokens["user"]["id"]
    ended = await admin.post(f"/api/admin/users/{user_id}/sign-out", json=WHY)
    assert (ended.status_code, ended.json()["sessions_ended"]) == (200, 1), ended.text
    assert "signed out" in await mailbox.arrived(ADDRESS, 2)
    assert (await admin.post(f"/api/admin/users/{user_id}/suspend", json=WHY)).status_code == 200
    assert "suspended" in await mailbox.arrived(ADDRESS, 3)


async def test_a_new_password_and_a_removed_passkey_are_told(hortus: Hortus, mailbox: Mailbox):
    client = await owner(hortus, mailbox)
    changed = await client.post("/api/user/change-password", json={"current_password": PASSWORD, "new_password": NEW})
    assert changed.status_code == 200
    assert "password" in await mailbox.arrived(ADDRESS, 2)
    async with hortus.database.transaction() as tx:
        key = NewPasskey(credential_id="abc", public_key=b"k", sign_count=0, backed_up=False)
        made = await add_passkey(tx, client.tokens["user"]["id"], key, "Phone")
        passkey_id = made.id
    assert (await client.delete(f"/api/auth/passkey/{passkey_id}")).status_code == 204
    assert "passkey was removed" in await mailbox.arrived(ADDRESS, 3)

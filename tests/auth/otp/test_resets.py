"""Password resets by link or code: valid once, the answer reveals no account, and every other session ends."""

import asyncio
import statistics
import time

import time_machine
from sqlalchemy import text
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus, serve

NUMBER, ADDRESS = "+919812345678", "asha@example.com"
NEW = "quite another passphrase 9"


def later(seconds: float):
    return time_machine.travel(time.time() + seconds, tick=True)


async def verified(hortus: Hortus, mailbox: Mailbox, email: str = ADDRESS):
    """A customer whose address is verified by the link in the mail."""
    client = await hortus.customer(email)
    token = await mailbox.token(email)
    answer = await client.post("/api/auth/verify-email", json={"token": token})
    assert answer.json() == {"email": email, "verified": True}
    again = await client.post("/auth/verify-email/", json={"token": token})
    assert (again.status_code, again.json()["code"]) == (401, "bad_link")
    return client


async def test_an_address_is_verified_by_code_too(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(ADDRESS)
    shown = (await client.get("/api/user/identifiers")).json()["items"]
    assert [(each["kind"], each["value"], each["verified"]) for each in shown] == [("email", ADDRESS, False)]
    code = await mailbox.code(ADDRESS)
    nobody = await hortus.anonymous().post("/auth/verify-email", json={"code": code})
    assert nobody.status_code == 401
    wrong = await client.post("/auth/verify-email", json={"code": f"{(int(code) + 1) % 10**6:06}"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "bad_code")
    assert (await client.post("/auth/verify-email", json={"code": code})).status_code == 200
    assert (await client.get("/api/user/identifiers")).json()["items"][0]["verified"] is True
    login = await client.post("/auth/login", json={"email": ADDRESS, "password": PASSWORD})
    assert login.status_code == 200


async def test_a_link_resets_once_and_every_session_ends(hortus: Hortus, mailbox: Mailbox):
    client = await verified(hortus, mailbox)
    assert (await client.post("/auth/request-password-reset", json={"email": ADDRESS})).status_code == 200
    token, code = await mailbox.token(ADDRESS, 2), await mailbox.code(ADDRESS, 2)
    weak = await client.post("/auth/reset-password", json={"token": token, "new_password": "password1"})
    assert weak.json()["code"] == "weak_password"
    done = await client.post("/auth/reset-password", json={"token": token, "new_password": NEW})
    assert (done.status_code, done.json()["sessions_ended"]) == (200, 1), done.text
    assert (await client.get("/api/user/me")).status_code == 401
    for body in ({"token": token}, {"email": ADDRESS, "code": code}):
        again = await client.post("/auth/reset-password", json={**body, "new_password": PASSWORD})
        assert again.status_code == 401
    assert (await client.post("/auth/login", json={"email": ADDRESS, "password": PASSWORD})).status_code == 401
    assert (await client.post("/auth/login", json={"email": ADDRESS, "password": NEW})).status_code == 200
    assert "password" in await mailbox.arrived(ADDRESS, 3)


async def test_a_code_to_a_number_resets_the_password_of_its_account_only(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    body = {"mobile_number": NUMBER, "password": PASSWORD, "accept_terms": True}
    await client.post("/auth/signup", json=body)
    await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": await mailbox.code(NUMBER)})
    assert (await client.post("/auth/forgot-password/", json={"mobile_number": NUMBER})).status_code == 200
    code = await mailbox.code(NUMBER, 2)
    reset = {"mobile_number": NUMBER, "code": code, "new_password": NEW}
    assert (await client.post("/auth/reset-password/", json=reset)).status_code == 200
    assert (await client.post("/auth/login", json={"mobile_number": NUMBER, "password": NEW})).status_code == 200
    stranger = {"mobile_number": "+919812345679", "code": "000000", "new_password": NEW}
    assert (await client.post("/auth/reset-password", json=stranger)).status_code == 401


async def test_known_and_unknown_get_the_same_answer_and_only_the_known_get_mail(hortus: Hortus, mailbox: Mailbox):
    await verified(hortus, mailbox)
    client, answers = hortus.anonymous(), []
    with later(61):
        for email in (ADDRESS, "nobody@example.com"):
            for path, body in (
                ("/auth/forgot-password", {"email": email}),
                ("/auth/send-otp", {"email": email, "purpose": "verify"}),
                ("/auth/reset-password", {"email": email, "code": "12345678", "new_password": NEW}),
                ("/auth/verify-otp", {"email": email, "code": "12345678"}),
            ):
                answer = await client.post(path, json=body)
                shown = {key: value for key, value in answer.json().items() if key != "request_id"}
                answers.append((path, answer.status_code, shown))
    assert [status for _, status, _ in answers[:4]] == [200, 200, 401, 401]
    assert answers[:4] == answers[4:]
    await mailbox.arrived(ADDRESS, 2)
    waiting = text("SELECT count(*) FROM tasks WHERE status IN ('queued', 'running') AND queue = 'mail'")
    async with asyncio.timeout(10):
        while True:
            async with hortus.database.snapshot() as tx:
                if (await tx.execute(waiting)).scalar_one() == 0:
                    break
            await asyncio.sleep(0.02)
    assert mailbox.to("nobody@example.com") == []
    assert len(mailbox.to(ADDRESS)) == 2  # verified already: no mail to verify it


async def test_changing_a_password_ends_the_other_sessions(hortus: Hortus, mailbox: Mailbox):
    one = await verified(hortus, mailbox)
    two = hortus.anonymous()
    tokens = (await two.post("/auth/login", json={"email": ADDRESS, "password": PASSWORD})).json()
    two.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    wrong = await one.post("/user/change-password", json={"current_password": "x", "new_password": NEW})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "bad_password")
    missing = await one.post("/api/auth/change-password", json={"new_password": NEW})
    assert (missing.status_code, missing.json()["code"]) == (422, "invalid_request")
    good = await one.post("/auth/change-password", json={"old_password": PASSWORD, "new_password": NEW})
    assert (good.status_code, good.json()["sessions_ended"]) == (200, 1), good.text
    assert (await one.get("/api/user/me")).status_code == 200
    assert (await two.get("/api/user/me")).status_code == 401
    assert (await two.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).status_code == 401


async def test_who_came_by_code_sets_a_password_soon_after_only(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
    body = {"mobile_number": NUMBER, "code": await mailbox.code(NUMBER)}
    tokens = (await client.post("/auth/verify-otp", json=body)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    with later(660):
        late = await client.post("/api/user/change-password", json={"new_password": NEW})
        assert (late.status_code, late.json()["code"]) == (403, "reauthentication_required")
    assert (await client.post("/api/user/change-password", json={"new_password": NEW})).status_code == 200
    assert (await client.post("/auth/login", json={"mobile_number": NUMBER, "password": NEW})).status_code == 200


async def test_resets_are_limited_to_three_an_hour(database_url, tmp_path):
    async with serve(database_url, tmp_path, rate_limits_enabled=True) as hortus:
        client = hortus.anonymous()
        paths = ["/auth/forgot-password", "/auth/request-password-reset"] * 2
        answers = []
        for number, path in enumerate(paths):
            with later(61 * number):
                answers.append(await client.post(path, json={"email": ADDRESS}))
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) > 200
        others = [await client.post(paths[0], json={"email": f"n{number}@example.com"}) for number in range(4)]
        assert {answer.status_code for answer in others} == {200}  # colleagues behind the same address


async def test_known_and_unknown_cost_the_same(hortus: Hortus, mailbox: Mailbox):
    """Interleaved, so that the machine's moods fall on both. The bound is wide: this machine may be busy."""
    for number in range(30):
        async with hortus.database.transaction() as tx:
            row = {"id": f"u{number:035}", "now": "2026-01-01 00:00:00+00:00"}
            await tx.execute(
                text(
                    "INSERT INTO users (id, role, status, marketing_consent, created_at, updated_at) "
                    "VALUES (:id, 'user', 'active', false, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                ),
                row,
            )
            await tx.execute(
                text(
                    "INSERT INTO identifiers (id, user_id, kind, value, verified_at, created_at) VALUES "
                    "(:id, :id, 'email', :value, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                ),
                {**row, "value": f"known{number}@example.com"},
            )
    client, took = hortus.anonymous(), {"known": [], "other": []}
    for number in range(30):
        for who in ("known", "other") if number % 2 else ("other", "known"):
            started = time.perf_counter()
            answer = await client.post("/auth/forgot-password", json={"email": f"{who}{number}@example.com"})
            took[who].append(time.perf_counter() - started)
            assert answer.status_code == 200
    known, other = (statistics.median(took[who]) for who in ("known", "other"))
    assert abs(known - other) < 0.4 * max(known, other), (known, other)

"""Rotation of SECRET_KEY: data of every previous key still opens, and data of a removed key does not."""

import asyncio
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import text
from tests.auth.mfa.authenticator_app import App, first_step, second_step, set_up
from tests.files.draw import make_image
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import Hortus, serve

from hortus import senders
from hortus.core import clock

OLDEST, OLD, NEW = "1" * 40, "2" * 40, "3" * 40
EMAIL, OTHER = "asha@example.com", "ravi@example.com"


class Data:
    """Encrypted, signed and hashed data of one key."""

    app: App
    refresh_token: str
    access_token: str
    api_key: str
    coupon: str
    link: str
    code: str

    async def create(self, hortus: Hortus) -> None:
        """Create one of each kind, and leave a mail in the outbox."""
        mailbox = Mailbox()
        mailbox.attach(hortus)
        client = await hortus.customer(EMAIL)
        self.refresh_token, self.access_token = client.tokens["refresh_token"], client.tokens["access_token"]
        answer = await client.post("/api/keys", json={"name": "ci"})
        self.api_key = answer.json()["secret"]
        upload = await client.post("/api/upload/file", files={"file": ("a.png", make_image())})
        self.link = upload.json()["url"]
        terms = {"kind": "credit", "credits": "1000000", "name": "Gift", "reason": "Rotation"}
        made = await (await hortus.staff("admin")).post("/api/admin/coupons", json=terms)
        self.coupon = made.json()["items"][0]["code"]
        await hortus.customer(OTHER)
        self.code = await mailbox.code(OTHER)
        self.app = await set_up(client)


async def send_mail(hortus: Hortus) -> None:
    """Commit a mail that no worker sends."""
    async with hortus.database.transaction() as tx:
        values = {"code": "493817", "minutes": 10}
        await senders.send_mail(tx, to="outbox@example.com", template="sign_in_code", language="en", values=values)


@pytest.mark.parametrize("previous", [[OLD], [OLDEST, OLD], [OLD, OLDEST]])
async def test_data_of_each_previous_key_opens(database_url: str, tmp_path: Path, previous: list[str]):
    data = Data()
    with time_machine.travel(clock.now().timestamp() // 30 * 30 + 10, tick=True) as traveller:
        async with serve(database_url, tmp_path, secret_key=OLD) as hortus:
            await data.create(hortus)
        async with serve(database_url, tmp_path, secret_key=OLD, work=False) as hortus:
            await send_mail(hortus)
        traveller.shift(30)
        async with serve(database_url, tmp_path, secret_key=NEW, secret_key_previous=previous) as hortus:
            mailbox = Mailbox()
            mailbox.attach(hortus)
            client = hortus.anonymous()
            client.headers["Authorization"] = f"Bearer {data.access_token}"
            assert (await client.get("/api/user/me")).status_code == 200
            assert (await client.post("/api/payment/redeem", json={"code": data.coupon})).status_code == 200
            assert (await hortus.anonymous().get(data.link)).status_code == 200
            refreshed = await client.post("/api/auth/refresh", json={"refresh_token": data.refresh_token})
            assert refreshed.status_code == 200
            client.headers["Authorization"] = f"Bearer {data.api_key}"
            assert (await client.get("/api/models")).status_code == 200
            body = {"email": OTHER, "code": data.code}
            assert (await hortus.anonymous().post("/api/auth/verify-email", json=body)).status_code == 200
            challenge = (await first_step(hortus.anonymous(), EMAIL))["challenge"]
            assert (await second_step(hortus.anonymous(), challenge, code=data.app.code())).status_code == 200
            assert await mailbox.code("outbox@example.com") == "493817"


async def test_data_of_a_removed_key_does_not_open(database_url: str, tmp_path: Path):
    data = Data()
    with time_machine.travel(clock.now().timestamp() // 30 * 30 + 10, tick=True) as traveller:
        async with serve(database_url, tmp_path, secret_key=OLD) as hortus:
            await data.create(hortus)
        async with serve(database_url, tmp_path, secret_key=OLD, work=False) as hortus:
            await send_mail(hortus)
        traveller.shift(30)
        async with serve(database_url, tmp_path, secret_key=NEW, secret_key_previous=[OLDEST]) as hortus:
            client = hortus.anonymous()
            for token in (data.access_token, data.api_key):
                headers = {"Authorization": f"Bearer {token}"}
                assert (await client.get("/api/user/me", headers=headers)).status_code == 401
            assert (await hortus.anonymous().get(data.link)).status_code == 404
            challenge = (await first_step(client, EMAIL))["challenge"]
            assert (await second_step(client, challenge, code=data.app.code())).status_code == 401
            assert "SECRET_KEY_PREVIOUS" in await _error_of_the_dead_mail(hortus)


async def _error_of_the_dead_mail(hortus: Hortus) -> str:
    query = text("SELECT error FROM tasks WHERE name = 'senders.mail' AND status = 'dead'")
    async with asyncio.timeout(30):
        while True:
            async with hortus.database.snapshot() as tx:
                if (found := (await tx.execute(query)).scalar_one_or_none()) is not None:
                    return str(found)
            await asyncio.sleep(0.05)

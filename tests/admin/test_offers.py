"""A disabled offer is used by no process; settings are shown without their secrets."""

import asyncio

import pytest
from sqlalchemy import text
from tests.admin.conftest import audit_of
from tests.helpers.server import Hortus, serve

from hortus import routing
from hortus.core.db import Database
from hortus.core.errors import Conflict
from hortus.providers import Registry

PAINTER = {"provider": "local", "model": "sketch-image", "reason": "It draws cats only"}


async def test_an_offer_is_disabled_and_enabled(hortus: Hortus, root):
    customer = await hortus.customer()
    off = await root.post("/api/admin/offers/disable", json=PAINTER)
    assert (off.status_code, off.json()["enabled"]) == (200, False)
    refused = await customer.post("/api/image/generate", json={"prompt": "kite"})
    assert (refused.status_code, refused.json()["code"]) == (503, "not_offered")
    assert "sketch-image" not in [each["id"] for each in (await customer.get("/api/models")).json()["items"]]
    models = {each["id"]: each for each in (await root.get("/api/admin/models")).json()["items"]}
    (offer,) = models["sketch-image"]["offers"]
    assert (offer["enabled"], offer["on_sale"], offer["reason"]) == (False, False, "disabled by an administrator")
    assert (offer["breaker"], models["sketch-image"]["price"]) == (
        "closed",
        {"per_image": "30000", "per_megapixel": "20000"},
    )
    assert models["sketch-text"]["offers"][0]["on_sale"]
    again = await root.post("/api/admin/offers/disable", json=PAINTER)
    assert (again.status_code, again.json()["code"]) == (409, "already_switched")
    assert (await root.post("/api/admin/offers/enable", json=PAINTER)).json()["enabled"]
    assert (await customer.post("/api/image/generate", json={"prompt": "kite"})).status_code == 202
    events = [(event["action"], event["target_id"]) for event in await audit_of(root)]
    assert events == [("offer.enabled", "local/sketch-image"), ("offer.disabled", "local/sketch-image")]


async def test_an_unknown_offer_cannot_be_disabled(root):
    answer = await root.post("/api/admin/offers/disable", json=PAINTER | {"model": "nothing"})
    assert (answer.status_code, answer.json()["code"]) == (404, "offer_not_found")


async def test_every_process_follows_a_switch(database: Database):
    catalog = routing.load()
    here, there = routing.OfferHealth(), routing.OfferHealth()
    async with routing.follow_toggles(database, there, Registry(), every=0.02):
        for disabled in (True, False):
            async with database.transaction() as tx:
                if disabled:
                    await routing.disable_offer(tx, catalog, here, "local", "sketch-image")
                else:
                    await routing.enable_offer(tx, here, "local", "sketch-image")
                assert here.is_disabled("local", "sketch-image") != disabled  # not before the commit
            assert here.is_disabled("local", "sketch-image") == disabled
            async with asyncio.timeout(10):
                while there.is_disabled("local", "sketch-image") != disabled:
                    await asyncio.sleep(0.01)
            assert there.admit("local", "sketch-image") != disabled
            assert there.admit("local", "sketch-text")


async def test_a_process_reads_the_disabled_offers_at_its_start(database: Database):
    async with database.transaction() as tx:
        await routing.disable_offer(tx, routing.load(), routing.OfferHealth(), "local", "sketch-image")
    health = routing.OfferHealth()
    async with routing.follow_toggles(database, health, Registry()):
        assert health.is_disabled("local", "sketch-image")


async def test_switching_at_once_counts_once(database: Database):
    async def off() -> bool:
        try:
            async with database.transaction() as tx:
                await routing.disable_offer(tx, routing.load(), routing.OfferHealth(), "local", "sketch-image")
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(off() for _ in range(6)))) == 1
    async with database.snapshot() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM disabled_offers"))).scalar_one() == 1


async def test_providers_name_their_missing_settings(hortus: Hortus):
    support = await hortus.staff("support")
    found = {each["id"]: each for each in (await support.get("/api/admin/providers")).json()["items"]}
    assert (found["local"]["state"], found["local"]["reason"]) == ("ready", None)


async def test_the_settings_are_shown_without_secrets(database_url: str, tmp_path):
    secrets = {
        "secret_key": "x9-hidden-one-" * 3,
        "secret_key_previous": "x9-hidden-two-" * 3,
        "public_url": "https://shop.example",
    }
    async with serve(database_url, tmp_path, **secrets) as hortus:
        answer = await (await hortus.staff("admin")).get("/api/admin/settings")
    assert answer.status_code == 200
    assert "x9-hidden" not in answer.text
    shown = answer.json()
    assert shown["secrets"] == {"SECRET_KEY": True, "SECRET_KEY_PREVIOUS": True} | shown["secrets"]
    assert shown["settings"]["PUBLIC_URL"] == "https://shop.example"
    assert shown["settings"]["ADMIN_CREDIT_LIMIT"] == 1000
    password = database_url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert not password or password not in shown["settings"]["DATABASE_URL"].partition("@")[0]
    assert "@" not in shown["settings"]["DATABASE_URL"]


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("redis://:hunter2@cache.example:6379/1", "redis://cache.example:6379/1"),
        ("postgresql://u:hunter2@[::1]:5432/db?password=hunter2", "postgresql://[::1]:5432/db"),
        ("amqp://guest:hunter2@mq//", "amqp://mq//"),
        ("guest:hunter2@mq", "(hidden)"),
        ("redis://hunter2@mq:port", "(hidden)"),
    ],
)
def test_an_address_is_shown_without_its_secrets(given: str, seen: str):
    from hortus.admin.settings import service
    from hortus.core.settings import Settings

    values, _ = service.shown(Settings.model_construct(celery_broker_url=given))
    assert values["CELERY_BROKER_URL"] == seen

"""A plan lists the qualities that its users may request; the default plans include all."""

from dataclasses import replace
from datetime import UTC
from pathlib import Path

from tests.helpers.server import serve

from hortus import quotas
from hortus.core.db import Database


async def test_a_quality_that_the_plan_lacks_is_refused_and_takes_nothing(planned: Database):
    async with planned.transaction() as tx:
        terms = (await quotas.plan_of(tx, "u")).terms
        await quotas.publish_plan(tx, replace(terms, qualities=("economy",)))
        uses = [
            quotas.QuotaUse(f"r{number}", "u", "image", 1, quality) for number, quality in enumerate(quotas.QUALITIES)
        ]
        answers = await quotas.consume_many(tx, [*uses, quotas.QuotaUse("none", "u", "image")], zone=UTC)
        assert [getattr(answer, "code", None) for answer in answers] == [
            None, "quality_not_in_plan", "quality_not_in_plan", None,
        ]  # fmt: skip
        used = {window.kind: window.used for window in (await quotas.usage(tx, "u", zone=UTC)).windows}
        assert used["image"] == 2
        await quotas.set_plan(tx, "u", name="pro")
        (answer,) = await quotas.consume_many(tx, [quotas.QuotaUse("more", "u", "image", 1, "premium")], zone=UTC)
        assert answer is None


async def test_the_error_lists_the_qualities_of_the_plan(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path) as hortus:
        customer = await hortus.customer()
        assert (await customer.post("/api/image/generate", json={"prompt": "a", "quality": "premium"})).is_success
        async with hortus.database.transaction() as tx:
            terms = (await quotas.plan_of(tx, "nobody")).terms
            await quotas.publish_plan(tx, replace(terms, qualities=("economy",)))
        refused = await customer.post("/api/image/generate", json={"prompt": "a", "quality": "premium"})
        assert (refused.status_code, refused.json()["code"]) == (403, "quality_not_in_plan")
        assert refused.json()["qualities"] == ["economy"]
        assert refused.json()["upgrade_url"] == "/api/payment/plans"
        assert (await customer.post("/api/image/generate", json={"prompt": "a", "quality": "economy"})).is_success
        named = {"prompt": "a", "quality": "premium", "model": "sketch-image"}
        assert (await customer.post("/api/image/generate", json=named)).is_success

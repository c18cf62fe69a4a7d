"""`GET /api/admin/doctor` returns the findings of `hortus doctor`, and no secret."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, serve

from hortus.ops import doctor

ROUTE = "/api/admin/doctor"
SECRET = "hush-opensesame"


def by_name(items: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {each["what"]: (each["state"], each["line"]) for each in items}


async def test_only_administrators_are_shown_the_findings(hortus: Hortus):
    customer, support, root = await hortus.customer(), await hortus.staff("support"), await hortus.staff("admin")
    assert (await hortus.anonymous().get(ROUTE)).status_code == 401
    assert [(await each.get(ROUTE)).status_code for each in (customer, support, root)] == [403, 403, 200]


async def test_the_findings_are_those_of_the_command(hortus: Hortus, root, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PAYMENT_GRACE_DAYS", "three")
    monkeypatch.setenv("STRIPE_SECRT_KEY", SECRET)
    answer = await root.get(ROUTE)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    steady = [each for each in shown["items"] if each["what"] != "data folder"]  # its free space moves
    said = [asdict(each) for each in await doctor.examine(hortus.settings) if each.what != "data folder"]
    assert steady == said
    assert shown["broken"]
    assert "PAYMENT_GRACE_DAYS must be" in by_name(shown["items"])["setting"][1]
    assert by_name(shown["items"])["unread variable"][1].startswith("nothing reads STRIPE_SECRT_KEY")
    assert SECRET not in answer.text
    password = hortus.database.url.password
    assert not password or f":{password}@" not in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_vendors_are_called_only_on_demand_and_no_secret_is_shown(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with OpenAIEmulator() as vendor:
        for name, value in {
            "OPENAI_BASE_URL": f"{vendor.url}/v1", "OPENAI_API_KEY": f"sk-{SECRET}", "OPENAI_TEXT_MODEL": "writer",
            "RAZORPAY_KEY_ID": "rzp_test_1", "RAZORPAY_KEY_SECRET": SECRET, "RAZORPAY_WEBHOOK_SECRET": SECRET,
            "RAZORPAY_API_BASE": vendor.url, "GEMINI_API_KEY": "", "GOOGLE_API_KEY": "", "STRIPE_SECRET_KEY": "",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        vendor.fail("unauthorized")
        async with serve(database_url, tmp_path, work=False, secret_key=f"{SECRET}-" * 3) as hortus:
            root = await hortus.staff("admin")
            asked = len(vendor.calls)
            quiet = await root.get(ROUTE)
            assert len(vendor.calls) == asked, "no vendor is called"
            assert not [name for name in by_name(quiet.json()["items"]) if name.startswith("ask ")]
            loud = await root.get(ROUTE, params={"check_vendors": "true"})
            assert len(vendor.calls) > asked
    state, line = by_name(loud.json()["items"])["ask openai_like"]
    assert (state, line.startswith("key refused")) == ("broken", True), line
    assert SECRET not in quiet.text + loud.text

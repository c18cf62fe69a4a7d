"""A vendor that refuses the key: its offers are off, and the reason is shown to operators and customers."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.emulators.gemini import GeminiEmulator
from tests.emulators.oidc import OidcEmulator
from tests.emulators.openai import OpenAIEmulator
from tests.emulators.razorpay import RazorpayEmulator
from tests.emulators.smtp import MailServer
from tests.emulators.stripe import StripeEmulator
from tests.emulators.twilio import TwilioEmulator
from tests.helpers.server import Hortus, serve
from tests.payments.bench import stripe_settings

from hortus.core.settings import Settings
from hortus.ops import doctor
from hortus.routing import OfferHealth

PROMPT = {"prompt": "A tagline for a tea shop"}
USER = ("garden", "watering can")


def point_at(monkeypatch: pytest.MonkeyPatch, vendor: OpenAIEmulator) -> None:
    for name, value in {
        "OPENAI_BASE_URL": f"{vendor.url}/v1",
        "OPENAI_API_KEY": "sk-emulated",
        "OPENAI_TEXT_MODEL": "house-writer",
        "OPENAI_IMAGE_MODEL": "",
        "GEMINI_API_KEY": "",
        "GOOGLE_API_KEY": "",
    }.items():
        monkeypatch.setenv(name, value)


async def lines(settings: Settings, *, ask_vendors: bool = False) -> dict[str, tuple[str, str]]:
    """What the doctor of another process says."""
    return {each.what: (each.state, each.line) for each in await doctor.examine(settings, ask_vendors=ask_vendors)}


async def until_checked_again(hortus: Hortus) -> None:
    """Let the minute until the next check pass, and wait for its result."""
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE key_refusals SET checked_at = '2020-01-01 00:00:00+00:00'"))


async def test_a_refused_key_disables_the_offers_until_the_vendor_accepts_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with OpenAIEmulator() as vendor:
        point_at(monkeypatch, vendor)
        vendor.fail("unauthorized")
        async with serve(database_url, tmp_path) as hortus:
            customer = await hortus.customer()
            for _ in range(2):
                answer = await customer.post("/api/text/generate", json=PROMPT)
                assert (answer.status_code, answer.json()["code"]) == (503, "not_offered"), answer.text
                assert "little while" not in answer.text
            calls = len(vendor.calls)
            await customer.post("/api/text/generate", json=PROMPT)
            assert len(vendor.calls) == calls, "a refused vendor is not called"

            metrics = (await hortus.anonymous().get("/metrics")).text
            assert 'hortus_provider_key_refused{provider="openai_like"} 1.0' in metrics
            admin = await hortus.staff("admin")
            offers = [
                offer
                for model in (await admin.get("/api/admin/models")).json()["items"]
                for offer in model["offers"]
                if offer["provider"] == "openai_like"
            ]
            assert offers
            assert "key refused" in next(offer["reason"] for offer in offers if "key refused" in offer["reason"])
            async with asyncio.timeout(60):
                while (await lines(hortus.settings)).get("openai_like", ("", ""))[0] != "broken":
                    await asyncio.sleep(0.2)
            _, line = (await lines(hortus.settings))["openai_like"]
            assert line.startswith("key refused since ")

            vendor.heal()
            await until_checked_again(hortus)
            async with asyncio.timeout(60):
                while hortus.resources[OfferHealth].key_is_refused("openai_like"):
                    await asyncio.sleep(0.2)
            assert (await customer.post("/api/text/generate", json=PROMPT)).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_customer_gets_the_next_offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str):
    async with OpenAIEmulator() as refusing, GeminiEmulator() as other:
        point_at(monkeypatch, refusing)
        monkeypatch.setenv("GEMINI_API_KEY", "AIza-emulated")
        monkeypatch.setenv("GEMINI_BASE_URL", other.url)
        refusing.fail("unauthorized")
        async with serve(database_url, tmp_path) as hortus:
            customer = await hortus.customer()
            answers = [await customer.post("/api/text/generate", json=PROMPT) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
async def test_the_doctor_asks_every_vendor(accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with (
        OpenAIEmulator() as openai,
        GeminiEmulator() as gemini,
        StripeEmulator() as stripe,
        RazorpayEmulator() as razorpay,
        TwilioEmulator() as twilio,
        OidcEmulator() as issuer,
    ):
        with MailServer(tmp_path, user=USER) as mail:
            point_at(monkeypatch, openai)
            for name, value in {
                "GEMINI_API_KEY": "AIza-emulated",
                "GEMINI_BASE_URL": gemini.url,
                **stripe_settings(stripe),
                "RAZORPAY_KEY_ID": razorpay.key_id,
                "RAZORPAY_KEY_SECRET": razorpay.key_secret if accepted else "opensesame",
                "RAZORPAY_WEBHOOK_SECRET": razorpay.webhook_secret,
                "RAZORPAY_API_BASE": razorpay.url,
                "TWILIO_ACCOUNT_SID": twilio.account_sid,
                "TWILIO_AUTH_TOKEN": twilio.auth_token if accepted else "opensesame",
                "TWILIO_PHONE_NUMBER": twilio.sender,
                "TWILIO_BASE_URL": twilio.url,
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(mail.port),
                "SMTP_USERNAME": USER[0],
                "SMTP_PASSWORD": USER[1] if accepted else "opensesame",
                "SMTP_FROM": "garden@example.com",
                "SMTP_CA_FILE": str(mail.ca_file),
                "OIDC_HOUSE_ISSUER": issuer.url,
                "OIDC_HOUSE_CLIENT_ID": issuer.client_id,
            }.items():
                monkeypatch.setenv(name, value)
            if not accepted:
                monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_opensesame")
                openai.fail("unauthorized")
                gemini.fail("unauthorized")
                issuer.fail("error")
            found = await lines(Settings(data_dir=tmp_path / "data", secret_key="k" * 40), ask_vendors=True)
    asked = {what: said for what, said in found.items() if what.startswith("ask ")}
    assert set(asked) == {
        "ask openai_like", "ask gemini", "ask pay by stripe", "ask pay by razorpay", "ask mail through smtp",
        "ask SMS through twilio", "ask sign-in with house",
    }  # fmt: skip
    assert {state for state, _ in asked.values()} == {"ok" if accepted else "broken"}, asked
    if not accepted:
        assert asked["ask openai_like"][1].startswith("key refused")
        assert asked["ask gemini"][1].startswith("key refused")
        assert "opensesame" not in str(asked)

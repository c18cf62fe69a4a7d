"""Routes of `/api/payment/referral`."""

from typing import Annotated

from pydantic import BaseModel, Field

from hortus.auth import Caller, limited_caller
from hortus.billing.links import shop_url
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.referrals import service
from hortus.core.db import Tx
from hortus.core.money import MICRO
from hortus.core.schemas import Body, MicroCredits
from hortus.core.settings import Settings
from hortus.core.web.deps import WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/payment/referral", "payment")
SettingsOf = Annotated[Settings, resource(Settings)]


class ReferralIn(Body):
    """The code of the customer who referred you."""

    code: str = Field(min_length=1, max_length=40)


class ReferralOut(BaseModel):
    """Your referral code and link, and the rewards after the first payment of a new customer."""

    code: str
    link: str
    reward: MicroCredits
    welcome: MicroCredits
    brought: int
    rewarded: int


@router.get("")
async def read_referral(caller: Caller, tx: WriteTx, settings: SettingsOf) -> ReferralOut:
    """Your referral code and link, and how many customers you referred."""
    return await _show(tx, settings, caller.user_id)


@router.post("", dependencies=[limited_caller("referral", "10/hour")])
async def name_referrer(body: ReferralIn, caller: Caller, tx: WriteTx, settings: SettingsOf) -> ReferralOut:
    """Set the code of your referrer, once, before your first payment."""
    await service.set_referrer(tx, caller.user_id, body.code)
    return await _show(tx, settings, caller.user_id)


async def _show(tx: Tx, settings: Settings, user_id: str) -> ReferralOut:
    found, rules = await service.referral_status(tx, user_id), tx.settings(BillingSettings)
    return ReferralOut(
        code=found.code,
        link=shop_url(settings, f"/signup?referral={found.code}"),
        reward=rules.referral_reward_credits * MICRO,
        welcome=rules.referral_welcome_credits * MICRO,
        brought=found.brought,
        rewarded=found.rewarded,
    )

"""Credit that buys itself when it runs low."""

from hortus.billing.auto_topup.service import finished, turn_off

__all__ = ["finished", "turn_off"]

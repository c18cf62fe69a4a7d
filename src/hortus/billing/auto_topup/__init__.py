"""Credit that buys itself when it runs low."""

from hortus.billing.auto_topup.service import finished

__all__ = ["finished"]

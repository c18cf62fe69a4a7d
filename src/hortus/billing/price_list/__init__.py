"""The price list: plans with prices per currency and interval, packs of credits, free amounts."""

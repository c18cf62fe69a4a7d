"""Price list: versions of plans and packs."""

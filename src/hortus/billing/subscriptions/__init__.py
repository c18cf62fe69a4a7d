"""Subscriptions: their state as the gateways report it, changes by customers, failed renewals."""

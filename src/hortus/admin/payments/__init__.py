"""Payments, refunds, gateway webhooks, revenue and margins."""

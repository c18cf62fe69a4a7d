"""Payments: booking, documents, refunds, clawbacks, assignment, revenue."""

"""Webhooks of payment gateways: receive and store events, process them, find events that were missed."""

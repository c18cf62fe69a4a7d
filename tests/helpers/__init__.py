"""Helpers of tests: servers, databases, brokers, mailboxes and checks."""

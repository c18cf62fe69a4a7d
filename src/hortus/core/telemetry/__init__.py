"""Metrics, tracing spans and structured logs of a process."""

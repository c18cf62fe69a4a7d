"""Health, metrics, traces, error reports, invariant checks, and the checks of `doctor` and start-up."""

"""Hortus: a self-hosted backend and studio for selling generative AI."""

import sys

__version__ = "0.1.0"

if "structlog" not in sys.modules:
    # structlog takes rich's tracebacks, and with them every lexer of pygments, wherever it finds them:
    # ten MB in each process, for colours in a log that machines read.
    sys.modules["rich.traceback"] = None  # type: ignore[assignment] # the documented way to hide a module
    import structlog as _structlog  # noqa: F401 - to be loaded while that is hidden

    del sys.modules["rich.traceback"]

# FastAPI asks of every model whether it is of pydantic's first version, and would load all of that to find out.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type] # likewise

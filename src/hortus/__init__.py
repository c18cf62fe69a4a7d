"""Hortus: a self-hosted backend and studio for selling generative AI."""

import sys

__version__ = "0.1.0"

if "structlog" not in sys.modules:
    # structlog takes rich's tracebacks, and with them every lexer of pygments, wherever it finds them: ten MB in each
    # process, for colours in a log that machines read. rich takes attrs, for objects that nobody prints.
    _hidden = [name for name in ("rich.traceback", "attr") if name not in sys.modules]
    for _name in _hidden:
        sys.modules[_name] = None  # type: ignore[assignment] # the documented way to hide a module
    import structlog as _structlog  # noqa: F401 - to be loaded while they are hidden

    for _name in _hidden:
        del sys.modules[_name]

# FastAPI asks of every model whether it is of pydantic's first version, and would load all of that to find out;
# uvicorn loads what watches files for changes, of which no server of ours takes notice.
for _name in ("pydantic.v1", "watchfiles"):
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type] # likewise

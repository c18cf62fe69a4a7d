"""Hortus: a self-hosted backend and studio for selling generative AI."""

import sys

__version__ = "0.1.0"

if "structlog" not in sys.modules:
    # structlog imports rich's tracebacks if they are installed, and with them every lexer of pygments: ten MB in each
    # process, for colours that are not used. rich imports attrs, to print objects that are never printed.
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

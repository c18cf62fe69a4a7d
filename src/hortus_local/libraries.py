"""Optional libraries: those that each kind of work needs, and those that are absent."""

from functools import cache
from importlib.util import find_spec

DRAWING = ("cv2", "numpy")
"""For images with detail. Without them `plain` draws."""
VIDEO = (*DRAWING, "av", "espeakng_loader", "fontpkg_noto_sans", "fontpkg_noto_sans_devanagari")


@cache
def absent(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `names` that cannot be imported here. Cached: a search of the import path takes a millisecond."""
    return tuple(name for name in names if find_spec(name) is None)


def how_to_install(names: tuple[str, ...]) -> str | None:
    """One line that says how to install the absent ones of `names`; None when all are installed."""
    lacking = absent(names)
    return (
        f"install the media libraries: pip install 'hortus[local]' (missing: {', '.join(lacking)})" if lacking else None
    )

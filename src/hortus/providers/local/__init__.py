"""The provider that needs no key and no network: text by templates, drawn pictures, talking photos.

The media worker is a module of this package and must start fast, so nothing is imported until asked for.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hortus.providers.local.adapter import Adapter

__all__ = ["Adapter", "sample_portrait"]


def sample_portrait() -> Path:
    """A portrait to try a talking photo with: a PNG of 768 x 768, drawn by `portrait.py`."""
    return Path(__file__).parent / "assets" / "portrait.png"


def __getattr__(name: str) -> Any:
    if name == "Adapter":
        from hortus.providers.local.adapter import Adapter  # noqa: PLC0415 - see above

        return Adapter
    raise AttributeError(name)

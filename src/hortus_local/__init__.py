"""The provider `local`, which needs no key and no network: text by templates, drawn images, talking photos.

Hortus finds `Adapter` by the entry point of the group `hortus.providers` and never imports this package. The media worker
is a module of this package and must start fast, so the adapter is imported on first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hortus_local.adapter import Adapter

__all__ = ["Adapter"]


def __getattr__(name: str) -> Any:
    if name == "Adapter":
        from hortus_local.adapter import Adapter  # noqa: PLC0415 - see above

        return Adapter
    raise AttributeError(name)

"""Discovery of adapters: modules in a folder, and entry points of other packages."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from hortus.core.configuration import SettingsGroup
from hortus.core.settings import Settings as CoreSettings


def discover(package: str, protocol: type, context: object) -> tuple[dict[str, Any], dict[str, str]]:
    """Build the class `Adapter` of every module of `package`, and of every entry point of that name, with `context`.

    Returns the adapters by id, and one line of reason for each that cannot be imported, built or used as `protocol`.
    """
    found: dict[str, Any] = {}
    broken: dict[str, str] = {}
    for name, load in (*_modules(package), *_entry_points(package)):
        try:
            make = _adapter_in(load())
            if make is None:
                continue
            adapter: Any = make(context)
            fits = isinstance(adapter, protocol)
            if not fits:
                raise TypeError(f"its Adapter does not fit the protocol {protocol.__name__}")
            if adapter.id in found:
                raise ValueError(f"the id {adapter.id!r} is taken")
        except Exception as error:
            broken[name] = _one_line(error)
        else:
            found[adapter.id] = adapter
    return found, broken


def settings_groups(package: str) -> list[type[SettingsGroup]]:
    """The class `Settings` of every adapter that has one: of the adapter itself, or of the module it is defined in.

    An adapter that cannot be imported is skipped; `discover` returns the reason.
    """
    found: list[type[SettingsGroup]] = []
    for _, load in (*_modules(package), *_entry_points(package)):
        try:
            make = _adapter_in(load())
        except Exception:  # noqa: S112 - reported by `discover`
            continue
        if make is None:
            continue
        settings = getattr(make, "Settings", None) or getattr(sys.modules.get(make.__module__), "Settings", None)
        if isinstance(settings, type) and issubclass(settings, SettingsGroup) and settings is not CoreSettings:
            found.append(settings)
    return found


def _modules(package: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        yield module.name, partial(importlib.import_module, f"{package}.{module.name}")


def _entry_points(group: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    for point in entry_points(group=group):
        yield f"{point.name} ({point.value})", point.load


def _adapter_in(loaded: Any) -> Any:
    """The adapter class, or the one in a module; None for a module without."""
    return getattr(loaded, "Adapter", None) if inspect.ismodule(loaded) else loaded


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):  # its text repeats values, which may be secrets
        line = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
    else:
        line = f"{type(error).__name__}: {error}"
    return " ".join(line.split())[:300]

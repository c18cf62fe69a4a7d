"""Builds the schema of an empty database the way an installation does."""

import importlib
import pkgutil

import hortus
from hortus.core.db import Base, Database


async def build(url: str) -> None:
    """Create every table at `url`."""
    for module in pkgutil.walk_packages(hortus.__path__, "hortus."):
        if module.name.endswith(".tables") and not module.name.startswith("hortus.main"):
            importlib.import_module(module.name)
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await database.close()

"""Migrations, run by Alembic on either database."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import hortus
from hortus.core.settings import Settings
from hortus.main.databases import manners


def folder() -> Path:
    """Where the migrations lie."""
    inside = Path(hortus.__file__).parent / "migrations"  # in an installed package
    beside = Path(hortus.__file__).parents[2] / "migrations"  # in a checkout
    return inside if inside.exists() else beside


def config(url: str) -> Config:
    """Alembic's configuration for a database."""
    made = Config()
    made.set_main_option("script_location", str(folder()))
    made.set_main_option("path_separator", "os")
    made.attributes["url"] = url
    return made


def upgrade(settings: Settings) -> None:
    """Bring the database to the newest revision."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = config(settings.database)
    made.attributes["manners"] = manners(settings, "migration")
    command.upgrade(made, "head")


def head() -> str:
    """The newest revision."""
    return str(ScriptDirectory.from_config(config("")).get_current_head())

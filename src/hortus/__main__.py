"""`python -m hortus` is `hortus`."""

from hortus.cli.commands import app

app()

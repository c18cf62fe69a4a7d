"""`python -m hortus` is `hortus`."""

from hortus.main.cli import app

app()

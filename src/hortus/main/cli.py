"""The console script of environments that were installed before `hortus.cli` existed. Temporary."""

import importlib

app = importlib.import_module("hortus.cli.commands").app

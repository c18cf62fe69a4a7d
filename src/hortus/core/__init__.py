"""What every feature stands on. Import the modules by name: `from hortus.core import db, ids`."""

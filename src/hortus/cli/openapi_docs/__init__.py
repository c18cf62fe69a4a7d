"""The API described for people and their tools, all from the one OpenAPI schema: `hortus schema`."""

import json
import tempfile
from pathlib import Path
from typing import Any, Literal

from hortus.cli.openapi_docs.page import page
from hortus.cli.postman import collection
from hortus.core.settings import Settings
from hortus.main.app import create_app

Form = Literal["openapi", "postman", "page"]


def schema() -> dict[str, Any]:
    """The OpenAPI schema of this version; nothing is started and no database is opened."""
    with tempfile.TemporaryDirectory() as folder:
        edge: Any = create_app(Settings(data_dir=Path(folder)), work=False)
        made: dict[str, Any] = edge.app.openapi()
    return made


def describe(form: Form) -> str:
    """The schema as JSON, as a Postman collection, or as the page docs/integrators/api.md."""
    if form == "page":
        return page(schema())
    found = schema() if form == "openapi" else collection(schema())
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"

"""The OpenAPI schema, generated once per process in a thread: it costs about two seconds of CPU."""

import asyncio
import json
import threading
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from hortus.core.web.openapi import ProblemBody

PATH = "/openapi.json"
BEARER = {"type": "http", "description": "An access token from /api/auth/login, or an API key", "scheme": "bearer"}


class OpenApi:
    """The schema of an app whose routes are complete, also served as JSON at `PATH`."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._making = threading.Lock()
        self._schema: dict[str, Any] | None = None
        self._json: bytes | None = None
        app.openapi = self.schema  # type: ignore[method-assign]
        app.add_route(PATH, self._answer, include_in_schema=False)

    def schema(self) -> dict[str, Any]:
        """The schema; the first call makes it."""
        with self._making:
            if self._schema is None:
                self._schema = _make(self._app)
            return self._schema

    async def as_json(self) -> bytes:
        """The schema as JSON; while it is made the process goes on answering."""
        if self._json is None:
            self._json = await asyncio.to_thread(self._encode)
        return self._json

    async def _answer(self, _request: Request) -> Response:
        return Response(await self.as_json(), media_type="application/json")

    def _encode(self) -> bytes:
        return json.dumps(self.schema(), ensure_ascii=False, separators=(",", ":")).encode()


def _make(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        license_info=app.license_info,
        routes=app.routes,
    )
    shared = schema.setdefault("components", {})
    shared.setdefault("schemas", {})["Problem"] = ProblemBody.model_json_schema()
    # Declared here: a dependency of its own would be resolved again for every request.
    shared["securitySchemes"] = {"HTTPBearer": BEARER}
    for operation in (each for path in schema["paths"].values() for each in path.values()):
        if "x-public" not in operation:
            operation["security"] = [{"HTTPBearer": []}]
        streamed = operation["responses"].get("200", {}).get("content", {}).get("text/event-stream", {})
        streamed.pop("schema", None)  # FastAPI's own: the whole stream as one string
    return schema

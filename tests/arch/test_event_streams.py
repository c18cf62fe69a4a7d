"""Every event stream is declared as one, with the shape of its events, and ends with the access of who reads it."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

import hortus
from hortus.core.settings import Settings
from hortus.core.web.sse import EventStream
from hortus.main.app import create_app

APP: Any = create_app(Settings(data_dir=Path("unused"), secret_key="k" * 40)).app  # type: ignore[attr-defined]
SOURCE = Path(hortus.__file__).parent
STREAMING = [
    route
    for route in APP.router.routes
    if isinstance(route, APIRoute) and "EventStream(" in inspect.getsource(route.endpoint)
]


def test_there_are_streams():
    assert len(STREAMING) >= 3


@pytest.mark.parametrize("route", STREAMING, ids=lambda route: route.path)
def test_a_stream_is_declared_with_its_events(route: APIRoute):
    (method,) = route.methods
    operation = APP.openapi()["paths"][route.path][method.lower()]
    declared = operation["responses"]["200"]["content"]["text/event-stream"]
    assert "schema" not in declared  # it is no string
    events = declared["itemSchema"]["oneOf"]
    assert {"delta", "done", "error"} <= {each["properties"]["event"]["const"] for each in events}
    shapes = APP.openapi()["components"]["schemas"]
    for each in events:
        data = each["properties"]["data"]["contentSchema"]
        assert data.get("$ref", "").rpartition("/")[2] in shapes or data["properties"]


def test_a_stream_is_made_in_one_place_and_never_without_its_reader():
    """A route that answers `text/event-stream` in another way escapes revocation."""
    elsewhere = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"media_type\s*=\s*\"text/event-stream|StreamingResponse|EventSourceResponse", path.read_text())
    ]
    assert elsewhere == ["core/web/sse.py"]
    reader = inspect.signature(EventStream).parameters["reader"]
    assert reader.default is inspect.Parameter.empty

"""The pages that document the API, served whole from here: they work without a network and load no third-party code."""

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from hortus.core.web import error_page, openapi_schema
from hortus.core.web.openapi import public

ASSETS = "/docs/assets"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def add_docs(app: FastAPI) -> None:
    """Serve `/docs`, `/redoc`, `/docs/errors` and what they load, and the icon of the site."""
    static = Path(str(files("fastapi_offline"))) / "static"  # only its files: Swagger UI and ReDoc, as a package
    app.mount(ASSETS, StaticFiles(directory=static), name="assets")
    marked: dict[str, Any] = {"include_in_schema": False, "openapi_extra": public("documentation")}
    swagger = _page(
        get_swagger_ui_html(
            openapi_url=openapi_schema.PATH,
            title="Hortus API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url="/favicon.ico",
        )
    )
    redoc = _page(
        get_redoc_html(
            openapi_url=openapi_schema.PATH,
            title="Hortus API",
            redoc_js_url=f"{ASSETS}/redoc.standalone.js",
            redoc_favicon_url="/favicon.ico",
            with_google_fonts=False,
        )
    )

    icon = files("hortus.core.web").joinpath("favicon.png").read_bytes()

    @app.get("/favicon.ico", **marked)
    async def favicon() -> Response:
        """The icon that browsers request by themselves; every browser accepts a PNG there."""
        return Response(icon, media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})

    @app.get("/docs", **marked)
    async def docs() -> HTMLResponse:
        """Try the API."""
        return swagger

    @app.get("/redoc", **marked)
    async def reference() -> HTMLResponse:
        """Read the API."""
        return redoc

    @app.get("/docs/errors", **marked)
    async def errors() -> HTMLResponse:
        """Every error code and its remedy."""
        return HTMLResponse(error_page.render())


def _page(made: HTMLResponse) -> HTMLResponse:
    """The page with a content security policy that allows only its own script and files."""
    scripts = [hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(bytes(made.body))]
    hashes = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in scripts)
    made.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return made

"""A route for administrators, of a server that runs."""

import httpx2
from fastapi import FastAPI
from tests.helpers.server import Hortus

from hortus import auth
from hortus.core.web.problems import install_problems


async def admin_route(hortus: Hortus, token: str) -> tuple[int, str]:
    """What a route for administrators answers."""
    app = FastAPI()
    app.state.resources = hortus.resources
    install_problems(app)

    @app.get("/there")
    async def there(_caller: auth.Admin) -> dict[str, str]:
        return {"code": "let in"}

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://here") as client:
        answer = await client.get("/there", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()["code"]

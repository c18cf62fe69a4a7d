"""Create an administrator at the console: `hortus create-admin`."""

import asyncio

from pydantic import TypeAdapter, ValidationError

from hortus import accounts, auth
from hortus.auth.schemas import Email
from hortus.core.db import Database
from hortus.core.errors import Problem
from hortus.core.settings import Settings
from hortus.main.bootstrap import open_app
from hortus.ops import migrations


async def create_admin(settings: Settings, email: str, password: str) -> str | None:
    """Create the account with the role `admin`; the reason for a refusal, or None."""
    try:
        address = TypeAdapter(Email).validate_python(email)
        auth.check_strength(password, address, names=auth.service_names(settings))
    except ValidationError as error:
        return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    except Problem as problem:
        return problem.detail
    await asyncio.to_thread(migrations.upgrade, settings)
    async with open_app(settings, work=False, role="console") as resources:
        hashed = await resources[auth.PasswordPool].hash(password)
        try:
            async with resources[Database].transaction() as tx:
                await accounts.register(tx, email=address, password_hash=hashed, name=None, role="admin")
        except Problem as problem:
            return problem.detail
    return None

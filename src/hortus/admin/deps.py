"""FastAPI dependencies of the admin routes."""

from typing import Annotated

from fastapi import Depends

from hortus.accounts import Principal
from hortus.auth import Admin, RecentCaller


async def _recent_admin(caller: Admin, _recent: RecentCaller) -> Principal:
    return caller


RecentAdmin = Annotated[Principal, Depends(_recent_admin)]
"""An administrator who authenticated within the last ten minutes."""

"""Who may do what is dangerous."""

from typing import Annotated

from fastapi import Depends

from hortus.accounts import Principal
from hortus.auth import Admin, RecentCaller


async def _recent_admin(caller: Admin, _proved: RecentCaller) -> Principal:
    return caller


RecentAdmin = Annotated[Principal, Depends(_recent_admin)]
"""An administrator who proved who they are within the last ten minutes."""

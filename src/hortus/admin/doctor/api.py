"""The route `/api/admin/doctor`."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from hortus.admin.doctor.service import Doctor
from hortus.auth import Admin
from hortus.core.web.deps import resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin/doctor", "admin")


class FindingOut(BaseModel):
    """One line of the report, without any secret."""

    state: Literal["ok", "missing", "broken"] = Field(
        description="`ok`; `missing` is optional and not there; `broken` needs the operator"
    )
    what: str
    line: str


class FindingsOut(BaseModel):
    """What `hortus doctor` says, in its order."""

    broken: bool = Field(description="Whether any finding is `broken`; `hortus doctor` exits with 1 then")
    items: list[FindingOut]


@router.get("", operation_id="admin_examine")
async def examine(
    _caller: Admin,
    doctor: Annotated[Doctor, resource(Doctor)],
    check_vendors: Annotated[bool, Query(description="Ask each configured vendor whether it accepts the key")] = False,
) -> FindingsOut:
    """What is configured, reachable and missing, as the process that answers sees it.

    The environment and `.env` are read anew; the process goes on with what it read at its start. No vendor is called
    unless `check_vendors`, which may take 30 seconds and costs nothing.
    """
    items = [
        FindingOut(state=each.state, what=each.what, line=each.line)
        for each in await doctor.examine(ask_vendors=check_vendors)
    ]
    return FindingsOut(broken=any(each.state == "broken" for each in items), items=items)

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
        description="`ok`; `missing`: optional and not configured; `broken`: the operator must act"
    )
    what: str
    line: str


class FindingsOut(BaseModel):
    """The findings of `hortus doctor`, in its order."""

    broken: bool = Field(description="Whether any finding is `broken`; `hortus doctor` exits with 1 then")
    items: list[FindingOut]


@router.get("", operation_id="admin_examine")
async def examine(
    _caller: Admin,
    doctor: Annotated[Doctor, resource(Doctor)],
    check_vendors: Annotated[bool, Query(description="Check each configured vendor's key with the vendor")] = False,
) -> FindingsOut:
    """Configuration and reachability, as seen by the process that answers.

    Reads the environment and `.env` again; the running process keeps the settings of its start. Vendors are called
    only with `check_vendors`, which may take 30 seconds and is free of charge.
    """
    items = [
        FindingOut(state=each.state, what=each.what, line=each.line)
        for each in await doctor.examine(ask_vendors=check_vendors)
    ]
    return FindingsOut(broken=any(each.state == "broken" for each in items), items=items)

"""Routes of `/api/admin/users`."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Query

from hortus import accounts, auth
from hortus.accounts import Principal
from hortus.admin.audit import actor_of, record
from hortus.admin.deps import RecentAdmin
from hortus.admin.schemas import ReasonIn
from hortus.admin.users import service
from hortus.admin.users.schemas import (
    AdminUserDetailsOut,
    AdminUserOut,
    RoleIn,
    RoleName,
    SignedOutOut,
    StatusName,
)
from hortus.auth import Staff
from hortus.core.db import Tx
from hortus.core.db.paging import Page
from hortus.core.schemas import Id
from hortus.core.settings import Settings
from hortus.core.web.deps import PageParams, ReadTx, WriteTx, resource
from hortus.core.web.openapi import make_router

router = make_router("/api/admin/users", "admin")
SettingsOf = Annotated[Settings, resource(Settings)]


@router.get("", operation_id="admin_list_users")
async def list_users(
    _caller: Staff,
    tx: ReadTx,
    paging: PageParams,
    q: Annotated[str | None, Query(min_length=1, max_length=254, pattern=r"^[^\x00]+$")] = None,
    role: RoleName | None = None,
    status: StatusName | None = None,
) -> Page[AdminUserOut]:
    """Users, newest first. `q` is an id, or the start of an email address or mobile number."""
    found = await accounts.search_users(tx, paging, query=q, role=role, status=status)
    return Page(items=[AdminUserOut(**asdict(person)) for person in found.items], next_cursor=found.next_cursor)


@router.get("/{user_id}", operation_id="admin_read_user")
async def read_user(user_id: Id, _caller: Staff, tx: ReadTx, settings: SettingsOf) -> AdminUserDetailsOut:
    """One user with identifiers, credentials, plan and quota."""
    return await service.get_details(tx, settings, user_id)


@router.post("/{user_id}/suspend", operation_id="admin_suspend_user")
async def suspend(
    user_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx, settings: SettingsOf
) -> AdminUserDetailsOut:
    """Reject all further calls of the user, in every process; no data is deleted."""
    await accounts.suspend(tx, user_id)
    await auth.notify_user(tx, user_id, "account_suspended", time=auth.message_time())
    return await _record_and_read(tx, settings, caller, user_id, "user.suspended", body.reason)


@router.post("/{user_id}/unsuspend", operation_id="admin_unsuspend_user")
async def unsuspend(
    user_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx, settings: SettingsOf
) -> AdminUserDetailsOut:
    """End the suspension of a user."""
    await accounts.unsuspend(tx, user_id)
    return await _record_and_read(tx, settings, caller, user_id, "user.unsuspended", body.reason)


@router.post("/{user_id}/role", operation_id="admin_give_role")
async def give_role(
    user_id: Id, body: RoleIn, caller: RecentAdmin, tx: WriteTx, settings: SettingsOf
) -> AdminUserDetailsOut:
    """Change the role of a user, from their next call on. The last administrator cannot be demoted."""
    before = await accounts.give_role(tx, user_id, body.role)
    details = {"from": before, "to": body.role}
    return await _record_and_read(tx, settings, caller, user_id, "user.role_given", body.reason, details)


@router.post("/{user_id}/sign-out", operation_id="admin_sign_out_user")
async def sign_out(user_id: Id, body: ReasonIn, caller: RecentAdmin, tx: WriteTx) -> SignedOutOut:
    """End all sessions of the user and notify them."""
    ended = await accounts.sign_out_everywhere(tx, user_id)
    if ended:
        await auth.notify_user(tx, user_id, "signed_out", time=auth.message_time())
    target = ("user", user_id)
    await record(tx, actor_of(caller), "user.signed_out", target, {"sessions": ended}, note=body.reason)
    return SignedOutOut(sessions_ended=ended)


async def _record_and_read(
    tx: Tx,
    settings: Settings,
    caller: Principal,
    user_id: str,
    action: str,
    reason: str,
    details: dict[str, str] | None = None,
) -> AdminUserDetailsOut:
    shown = await service.get_details(tx, settings, user_id)
    await record(tx, actor_of(caller), action, ("user", user_id), details, note=reason)
    return shown

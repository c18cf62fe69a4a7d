"""Every documented path exists: under `/api`, by its older name, with and without a trailing slash."""

import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus

from hortus.core import ids

NOBODY = ids.new()
OLDER = ("/auth/", "/user/", "/chatroom", "/subscription/", "/subscribe/")
"""Beginnings that also answer without `/api`."""
PROMISED = f"""
POST /auth/register /auth/signup /auth/send-otp /auth/verify-otp
POST /auth/login /auth/refresh /auth/logout /auth/verify-email
POST /auth/request-password-reset /auth/forgot-password /auth/reset-password /auth/change-password /user/change-password
POST /auth/totp/setup /auth/totp/confirm /auth/totp/verify /auth/totp/disable /auth/totp/recovery-codes
POST /auth/passkey/register /auth/passkey/register/options /auth/passkey/login /auth/passkey/login/options
GET /user/profile /user/me /user/usage /user/dashboard /user/sessions /user/data-export /keys /keys/usage
PUT /user/profile
POST /user/data-export /keys /keys/{NOBODY}/rotate
PATCH /keys/{NOBODY}
DELETE /user/sessions /user/sessions/{NOBODY} /user/me /keys/{NOBODY}
POST /text/generate /prompt/enhance /image/generate /image/edit /video/generate /video/retry/{NOBODY}
GET /video/list /video/details/{NOBODY} /video/status/{NOBODY} /video/download/{NOBODY}
GET /generations /generations/{NOBODY} /generations/{NOBODY}/events /generations/{NOBODY}/download /models
POST /generations/{NOBODY}/cancel /generations/{NOBODY}/retry /generations/quote
DELETE /generations/{NOBODY} /chatroom/{NOBODY} /upload/file/{NOBODY}
POST /chatroom /chatroom/{NOBODY}/message /chatroom/{NOBODY}/message/{NOBODY}/regenerate
GET /chatroom /chatroom/{NOBODY} /chatroom/{NOBODY}/events
PATCH /chatroom/{NOBODY} /chatroom/{NOBODY}/message/{NOBODY}
GET /payment/plans /payment/subscription/details /subscription/status /payment/history /payment/invoices
GET /payment/invoices/{NOBODY}/pdf
POST /payment/subscription /subscription/pro /subscribe/pro /payment/subscription/cancel /payment/topup /payment/redeem
PUT /payment/subscription/update
POST /upload/file
GET /upload/files /upload/file/{NOBODY}
"""


def spellings(path: str) -> list[str]:
    """Every way to write a path."""
    full = [f"/api{path}", path] if path.startswith(OLDER) else [f"/api{path}"]
    return [each + slash for each in full for slash in ("", "/")]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_promised_path_answers(hortus: Hortus, vendor: OpenAIEmulator):
    someone, unknown = hortus.anonymous(), []
    for line in PROMISED.split("\n"):
        method, *paths = line.split() or [""]
        for path in paths:
            answers = {}
            for spelled in spellings(path):
                body = {"json": {"surely": "wrong"}} if method in ("POST", "PUT", "PATCH") else {}
                answer = await someone.request(method, spelled, **body)
                answers[spelled] = answer.status_code
            if not set(answers.values()) <= {200, 401, 422} or len(set(answers.values())) > 1:
                unknown.append((method, answers))
    assert not unknown


async def test_what_was_never_promised_is_not_there(hortus: Hortus, vendor: OpenAIEmulator):
    someone = hortus.anonymous()
    for path in ("/api/nothing", "/keys", "/text/generate", "/chatrooms", "/api/api/keys", "/api//keys", "/userx"):
        answer = await someone.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path

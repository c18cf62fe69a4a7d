"""Errors as problem+json (RFC 9457), for every exception that a route can raise."""

from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hortus.core import context, errors
from hortus.core.errors import Problem
from hortus.core.web import invalid_input


def problem_response(problem: Problem) -> JSONResponse:
    """An RFC 9457 response. It contains only the texts of the class and `extra`."""
    body = {
        "type": f"/docs/errors#{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": context.request_id.get(),
        **problem.extra,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type="application/problem+json")


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return problem_response(cast("Problem", error))


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast("RequestValidationError", error).errors()
    body_expected = any(item["loc"] and item["loc"][0] == "body" for item in found)
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    sent_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    known = content_type.endswith("json") or content_type == "multipart/form-data"
    if body_expected and sent_body and not known:
        return problem_response(errors.UnsupportedMediaType())
    return problem_response(errors.Invalid(errors=invalid_input.errors_of(found)))


CLIENT_LEFT = 499
"""Logged and counted when the client disconnects while its body is read, as in nginx. It is never sent."""
_BY_STATUS: dict[int, type[Problem]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    503: errors.ServiceUnavailable,
}


async def _on_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)


async def _on_http(request: Request, error: Exception) -> Response:
    raised = cast("HTTPException", error)
    if isinstance(raised.__cause__, ClientDisconnect):  # FastAPI turns every error while reading a body into 400
        return await _on_left(request, raised.__cause__)
    if isinstance(raised.__cause__, Problem):
        return problem_response(raised.__cause__)
    kind = _BY_STATUS.get(raised.status_code, errors.Invalid if raised.status_code < 500 else Problem)
    problem = kind()
    problem.headers = {**problem.headers, **(raised.headers or {})}
    return problem_response(problem)


async def _on_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(Problem())  # the middleware logs it when Starlette raises it again


def install_problems(app: FastAPI) -> None:
    """Turn every error of `app` into problem+json."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_left)
    app.add_exception_handler(Exception, _on_unexpected)

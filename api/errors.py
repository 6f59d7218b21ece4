"""Every refusal as problem details (RFC 9457): which field, which rule, never the value.

FastAPI's own bodies echo what was sent; none of them is used. The table here is the only place
where errors of `mpi.errors` meet HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mpi.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidModel,
    MpiError,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    WrongSchema,
)

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
"""Seconds that the header Retry-After names, with 429 and 503."""
_STATUSES: Final[tuple[tuple[type[MpiError], HTTPStatus], ...]] = (
    (WrongSchema, HTTPStatus.SERVICE_UNAVAILABLE),
    (InvalidModel, HTTPStatus.SERVICE_UNAVAILABLE),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
_RULES: Final = {
    "missing": "is missing",
    "extra_forbidden": "has a field that is not known here",
    "string_type": "must be a text",
    "string_too_long": "is too long",
    "string_too_short": "must not be empty",
    "json_invalid": "is not JSON",
    "model_attributes_type": "must be a JSON object, sent as Content-Type: application/json",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "too_long": "has too many entries",
    "too_short": "must not be empty",
    "enum": "is not one of those that are listed in the description",
    "string_unicode": "has half a character",
}
"""Pydantic's error type -> our words. Its own can quote what was sent."""
_DETAILS: Final = {
    HTTPStatus.BAD_REQUEST: "body: cannot be read as JSON in UTF-8",
    HTTPStatus.NOT_FOUND: "path: nothing is served here",
    HTTPStatus.METHOD_NOT_ALLOWED: "method: is not one of those that the header Allow lists",
}
"""What the framework refuses by itself -> our words; of the body it says no more than 400."""
_HEADERS: Final = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": str(RETRY_AFTER_S)},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_S)},
}


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    slug: str | None = None,
    errors: Sequence[dict[str, str]] = (),
) -> Response:
    """`problem_details` with these arguments as a response."""
    return problem_response(problem_details(status, detail, slug=slug, errors=errors))


def problem_details(
    status: HTTPStatus,
    detail: str,
    *,
    slug: str | None = None,
    errors: Sequence[dict[str, str]] = (),
) -> dict[str, Any]:
    """What went wrong, in the form of RFC 9457.

    Args:
        status: HTTP status.
        detail: One sentence, without any value.
        slug: What kind of problem it is, for programs; the status if left out.
        errors: The wrong fields, each with its rule: `field` and `rule`.

    Returns:
        `type`, `title`, `status`, `detail`, and `errors` if there are any.
    """
    content: dict[str, Any] = {
        "type": f"urn:mpi:problem:{slug}" if slug else "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }
    return content | {"errors": list(errors)} if errors else content


def problem_response(content: dict[str, Any]) -> Response:
    """Problem details as a response; one that waiting can cure says how many seconds to wait."""
    status = HTTPStatus(content["status"])
    return Response(orjson.dumps(content), int(status), _HEADERS.get(status), PROBLEM_JSON)


def add_error_handlers(app: FastAPI) -> None:
    """Make the application answer every refusal with problem details."""
    app.add_exception_handler(MpiError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_request)
    app.add_exception_handler(HTTPException, _refuse_http)


def status_of(error: MpiError) -> HTTPStatus:
    """The HTTP status of one of our errors; one that is in no list is our own fault: 500."""
    statuses = (status for kind, status in _STATUSES if isinstance(error, kind))
    return next(statuses, HTTPStatus.INTERNAL_SERVER_ERROR)


def refusal(error: MpiError) -> Response:
    """One of our errors as a response with problem details (RFC 9457)."""
    return problem_response(problem_of(error))


def problem_of(error: MpiError) -> dict[str, Any]:
    """One of our errors as problem details; the sentence is safe to show to anyone."""
    return problem_details(status_of(error), str(error), slug=_slug(type(error).__name__))


def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, MpiError)
    return refusal(error)


def _refuse_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = dict.fromkeys(map(_field_error, error.errors()))  # Unknown fields are all told alike.
    errors = [{"field": field, "rule": rule} for field, rule in told]
    detail = "; ".join(f"{field}: {rule}" for field, rule in told)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, slug="invalid-request", errors=errors)


def _refuse_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    response = problem(status, _DETAILS.get(status, status.phrase))
    response.headers.update(error.headers or {})
    return response


def _field_error(error: dict[str, Any]) -> tuple[str, str]:
    """The field, and the rule that it breaks."""
    kind, place = error["type"], list(error["loc"])
    if kind == "json_invalid":
        place = ["body"]
    elif kind == "extra_forbidden":
        place.pop()  # The unknown name is the caller's own text.
    rule = str(error["ctx"]["error"]) if kind == "value_error" else _RULES.get(kind)
    return ".".join(map(str, place)), rule or "is not valid"


def _slug(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")

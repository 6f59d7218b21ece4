"""What the OpenAPI document says about who may call: made from the policy, not beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI

from api.errors import PROBLEM_JSON
from api.guard import guarded_routes
from api.recipients import header_parameters
from api.v1.schemas import Problem
from mpi.domain.policy import POLICY

_SCHEME: Final = "access_token"
_REFUSALS: Final = {
    "400": "The body cannot be read.",
    "401": "The token is missing or not sound.",
    "403": "The client's roles do not allow this, or the source is another organisation's.",
    "404": "There is nothing of this kind.",
    "405": "The method is not served here.",
    "413": "The body is too long.",
    "422": "A field breaks a rule; which one is said.",
    "429": "The client asks more often than it may; retry later.",
    "503": "The store cannot be reached; retry.",
}


_PROBLEM: Final = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def declare_access(app: FastAPI) -> None:
    """Make the application's document tell which routes want a token, and how they refuse.

    The OpenAPI 3.1 document is made when it is first asked for, so all routes must be there by
    then.
    """
    made: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _declared(app, made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _declared(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        _SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    schemas = components.setdefault("schemas", {})
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas["Problem"] = schema
    for route in guarded_routes(app):
        rule = POLICY.get(route.action)
        for method in route.methods:
            operation = document["paths"].get(route.template, {}).get(method.lower())
            if operation is not None:
                _declare(operation, is_public=rule is not None and rule.is_public)
    return document


def _declare(operation: dict[str, Any], *, is_public: bool) -> None:
    responses = operation["responses"]
    for status, words in _REFUSALS.items():
        if is_public and status in ("401", "403", "404"):
            continue
        responses.setdefault(status, {"description": words, "content": _PROBLEM})
    operation["security"] = [] if is_public else [{_SCHEME: []}]
    if not is_public:
        operation.setdefault("parameters", []).extend(header_parameters())

"""How a system gets a token: the token endpoint, the public keys, and where they are said to be.

Source: SMART App Launch 2.2, backend services; RFC 6749 (client credentials), 7523, 8414, 9068.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.access import Access
from api.wiring import Service
from mpi.domain.policy import Role
from mpi.errors import Unauthenticated
from mpi.limits import TOKEN_BYTES_MAX
from mpi.services.assertions import ALGORITHMS, authenticate
from mpi.services.clients import Client
from mpi.services.refusals import audit_refusal
from mpi.services.tokens import SCOPES, TOKEN_LIFETIME, roles_of, scope_of

TOKEN_PATH: Final = "/oauth2/token"
KEYS_PATH: Final = "/.well-known/jwks.json"
CONFIGURATION_PATH: Final = "/.well-known/smart-configuration"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS: Final = ("grant_type", "client_assertion_type", "client_assertion", "scope")
_FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["grant_type", "client_assertion_type", "client_assertion"],
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_assertion_type": {"const": ASSERTION_TYPE},
        "client_assertion": {"type": "string", "maxLength": TOKEN_BYTES_MAX},
        "scope": {"type": "string"},
    },
}

router = APIRouter(tags=["authorisation"])


class _Refused(Exception):
    """A token was not given, in the words of RFC 6749."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.status = (
            HTTPStatus.UNAUTHORIZED if error == "invalid_client" else HTTPStatus.BAD_REQUEST
        )


@router.post(
    TOKEN_PATH,
    summary="Get an access token",
    openapi_extra={"requestBody": {"required": True, "content": {_FORM: {"schema": _FORM_SCHEMA}}}},
    responses={
        400: {"description": "The request breaks a rule of OAuth 2; `error` says which."},
        401: {"description": "The client has not shown who it is."},
    },
)
async def issue_token(request: Request) -> Response:
    """An access token for a client that signs who it is with a key registered for it.

    Good for 300 seconds; ask again instead of refreshing. An assertion serves once. What is refused
    has status 400 or 401 and says why in `error` and `error_description` (RFC 6749, section 5.2).
    """
    service: Service = request.app.state.service
    access: Access = request.app.state.access
    try:
        form = _form(request, await request.body())
        granted = await run_in_threadpool(_grant, service, access, form, token_url(request))
    except _Refused as refused:
        await _audit(request, service, access, refused)
        return _json({"error": refused.error, "error_description": str(refused)}, refused.status)
    return _json(granted, HTTPStatus.OK)


@router.get(KEYS_PATH, summary="The public keys of the tokens")
def list_signing_keys(request: Request) -> dict[str, Any]:
    """The keys that sign, as a JWKS (RFC 7517); keep them for minutes, not longer."""
    access: Access = request.app.state.access
    return access.tokens.keys.public_keys()


@router.get(CONFIGURATION_PATH, summary="How to get a token")
def describe_authorisation(request: Request) -> dict[str, Any]:
    """What SMART clients ask first: the token endpoint, its methods, algorithms and scopes.

    Source: SMART App Launch 2.2, conformance.
    """
    access: Access = request.app.state.access
    base = token_url(request).removesuffix(TOKEN_PATH)
    return {
        "issuer": access.tokens.issuer,
        "jwks_uri": base + KEYS_PATH,
        "token_endpoint": base + TOKEN_PATH,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": list(SCOPES.values()),
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    }


def token_url(request: Request) -> str:
    """The address that assertions must name: the public one, or on this machine the one asked."""
    access: Access = request.app.state.access
    return (access.public_url or str(request.base_url).rstrip("/")) + TOKEN_PATH


def _form(request: Request, body: bytes) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise _Refused("invalid_request", f"body: must be {_FORM}")
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=20)
    except ValueError as error:
        raise _Refused("invalid_request", "body: cannot be read as a form") from error
    if any(len(values) > 1 for values in fields.values()):
        raise _Refused("invalid_request", "body: a field is given twice")
    if "grant_type" not in fields:
        raise _Refused("invalid_request", "grant_type: is missing")
    return {name: fields[name][0] for name in _FIELDS if name in fields}


def _grant(service: Service, access: Access, form: dict[str, str], audience: str) -> dict[str, Any]:
    if form.get("grant_type") != "client_credentials":
        raise _Refused("unsupported_grant_type", "grant_type: must be client_credentials")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _Refused("invalid_client", f"client_assertion_type: must be {ASSERTION_TYPE}")
    now = service.clock.now()
    try:
        assertion = form.get("client_assertion", "")
        client = authenticate(service.store, assertion, audience=audience, now=now)
    except Unauthenticated as error:
        raise _Refused("invalid_client", str(error)) from error
    roles = _roles(client, form.get("scope"))
    service.audit_grant(client)
    return {
        "access_token": access.tokens.issue(client.id, roles, now=now),
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        "scope": scope_of(roles),
    }


def _roles(client: Client, scope: str | None) -> frozenset[Role]:
    """The roles asked for, of those that the client has; all if none is named."""
    if scope is None:
        return client.roles
    asked = roles_of(scope)
    if not asked or scope_of(asked).split() != sorted(set(scope.split()), key=_order):
        raise _Refused("invalid_scope", "scope: holds none, or one that is not known here")
    if not asked <= client.roles:
        raise _Refused("invalid_scope", "scope: holds one that the client was not given")
    return asked


def _order(scope: str) -> str:
    return next((role for role, each in SCOPES.items() if each == scope), scope)


async def _audit(request: Request, service: Service, access: Access, refused: _Refused) -> None:
    """Raises TooManyRequests where an address was refused so often that it is not audited more."""
    address = request.client.host if request.client else "unknown"
    access.rates.count_refusal(address)
    await run_in_threadpool(
        audit_refusal,
        service.store,
        None,
        reason=str(refused),
        route=f"POST {TOKEN_PATH}",
        request_id=request.state.request_id,
        at=service.clock.now(),
    )


def _json(content: dict[str, Any], status: HTTPStatus) -> Response:
    headers = {"Pragma": "no-cache"}
    return Response(orjson.dumps(content), int(status), headers, "application/json")

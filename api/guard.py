"""Who may come in: every request is judged by the one policy before its body is looked at.

The action is the name of the route. A route that the policy does not know is refused, and so is a
path that no route has: nothing reaches a route but what was permitted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import Access
from api.errors import problem, refusal
from api.wiring import Service
from mpi.domain.policy import POLICY, Deny, Permit, Principal, Refusal, Resource, decide
from mpi.errors import Forbidden, MpiError, TooManyRequests, Unauthenticated
from mpi.services.refusals import audit_refusal

_BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]+) *")
_WORDS: Final = {
    Refusal.NO_POLICY: "path: nobody may do this",
    Refusal.NO_TOKEN: "token: is missing; send Authorization: Bearer",
    Refusal.ROLE: "role: the client's roles do not allow this",
    Refusal.OTHER_SOURCE: "source: is not one of the client's own",
}


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """A route as the guard sees it; `action` is its name, which the policy knows."""

    action: str
    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]

    @property
    def literal_characters(self) -> int:
        """How much of the template is fixed: of two that match, the longer is the one meant."""
        return len(re.sub(r"\{[^}]*\}", "", self.template))


def guarded_routes(app: FastAPI) -> Iterator[GuardedRoute]:
    """Every route of an application, in the order in which they are tried."""
    for context in iter_route_contexts(app.routes):
        assert context.path is not None, "a route has a path"
        yield GuardedRoute(
            action=context.name or "",
            template=context.path_format or context.path,
            methods=frozenset(context.methods or ()),
            pattern=compile_path(context.path)[0],
        )


class Guard:
    """ASGI middleware inside the door and around the routes.

    Lets in what the policy permits, with the permit in the request's state. All else is answered
    here: 401, 403, 404, 405, 429, or 503 where the refusal cannot be audited. Websockets are
    closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._routes: tuple[GuardedRoute, ...] = ()
        self._fixed: dict[tuple[str, str], GuardedRoute] = {}
        """Method and path -> the route, of those whose path has no parts to fill in."""
        self._routes_count = -1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        outcome = await self._judge(scope)
        if isinstance(outcome, Response):
            await outcome(scope, receive, send)
            return
        scope["state"]["permit"] = outcome
        await self._app(scope, receive, send)

    async def _judge(self, scope: Scope) -> Permit | Response:
        route, parameters = self._matched(scope)
        if isinstance(route, Response):
            return route
        scope["state"]["route"], scope["state"]["action"] = route.template, route.action
        service: Service = scope["app"].state.service
        access: Access = scope["app"].state.access
        principal = None
        try:
            principal = await _principal(access, scope, service.clock.now())
            return _permitted(principal, route.action, parameters, scope)
        except (Forbidden, TooManyRequests) as error:
            return await _refused(error, service, access, principal, scope)
        except MpiError as error:
            return refusal(error)

    def _matched(self, scope: Scope) -> tuple[GuardedRoute | Response, dict[str, str]]:
        """The route that will be served, with the parts of its path; else the refusal."""
        app: FastAPI = scope["app"]
        if len(app.routes) != self._routes_count:
            self._learn(app)
        fixed = self._fixed.get((scope["method"], scope["path"]))
        if fixed is not None:
            return fixed, {}
        others: list[GuardedRoute] = []
        for route in self._routes:
            found = route.pattern.match(scope["path"])
            if found and scope["method"] in route.methods:
                return route, found.groupdict()
            if found:
                others.append(route)
        if not others:
            return problem(HTTPStatus.NOT_FOUND, "path: nothing is served here"), {}
        words = "method: is not one of those that the header Allow lists"
        response = problem(HTTPStatus.METHOD_NOT_ALLOWED, words)
        closest = max(route.literal_characters for route in others)
        named = [route.methods for route in others if route.literal_characters == closest]
        response.headers["Allow"] = ", ".join(sorted(frozenset().union(*named)))
        return response, {}

    def _learn(self, app: FastAPI) -> None:
        """The routes, and those that need no search: nothing tried before them has their path."""
        self._routes = tuple(guarded_routes(app))
        self._fixed = {}
        for at, route in enumerate(self._routes):
            earlier = self._routes[:at]
            if "{" not in route.template and not any(
                each.pattern.match(route.template) for each in earlier
            ):
                self._fixed |= {(method, route.template): route for method in route.methods}
        self._routes_count = len(app.routes)


async def _principal(access: Access, scope: Scope, now: datetime) -> Principal | None:
    """Who sent this; None if no token came along.

    Raises:
        Unauthenticated: If the token is not sound.
        TooManyRequests: If its client asks too often.
    """
    headers = Headers(scope=scope).getlist("authorization")
    if not headers:
        return None
    found = _BEARER.fullmatch(headers[0]) if len(headers) == 1 else None
    if found is None:
        raise Unauthenticated("token: must be sent once, as Authorization: Bearer")
    verified = access.tokens.verify_token(found[1], now=now)
    principal = access.clients.recall(verified)
    if principal is None:
        principal = await run_in_threadpool(access.clients.principal_of, verified)
    access.rates.count_request(principal.client_id)
    return principal


def _permitted(
    principal: Principal | None, action: str, parameters: dict[str, str], scope: Scope
) -> Permit:
    """Raises Unauthenticated or Forbidden, with the reason."""
    decision = decide(principal, action, Resource(source=parameters.get("source")))
    if isinstance(decision, Permit):
        return decision
    rule = POLICY.get(action)
    if rule is not None and rule.is_public_on_host and _is_on_host(scope):
        return Permit(principal)
    raise _error_of(decision)


def _error_of(decision: Deny) -> Forbidden:
    words = _WORDS[decision.refusal]
    return Unauthenticated(words) if decision.refusal is Refusal.NO_TOKEN else Forbidden(words)


async def _refused(
    error: MpiError, service: Service, access: Access, principal: Principal | None, scope: Scope
) -> Response:
    """The refusal, once it is in the audit trail; without a trail there is no other answer."""
    state = scope["state"]
    try:
        if not isinstance(error, TooManyRequests):
            access.rates.count_refusal(_address(scope))
            await run_in_threadpool(
                audit_refusal,
                service.store,
                principal,
                reason=str(error),
                route=f"{scope['method']} {state['route']}",
                request_id=state["request_id"],
                at=service.clock.now(),
            )
    except MpiError as worse:
        return refusal(worse)
    return refusal(error)


def _address(scope: Scope) -> str:
    client: Any = scope.get("client")
    return str(client[0]) if client else "unknown"


def _is_on_host(scope: Scope) -> bool:
    """Whether the caller, as a declared proxy tells it, is on this machine."""
    try:
        return ip_address(_address(scope)).is_loopback
    except ValueError:
        return False

"""What every request passes on its way in and out, whichever interface it is for.

A request gets an id, its body is bounded, nothing of the answer may be kept on the way, and a
fault of ours becomes a bare 500: its text and traceback can hold values and so go nowhere.
"""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus
from time import perf_counter
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.counters import count_request
from api.errors import problem
from mpi import logs
from mpi.limits import JSON_DEPTH_MAX, REQUEST_BYTES_MAX

REQUEST_ID: Final = "x-request-id"
_SOUND_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


class Door:
    """ASGI middleware around the whole application.

    Nothing is raised out of it: a fault becomes status 500 with a bare problem (RFC 9457), if the
    answer has not begun.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        answer = _Answer(scope, send, _request_id(Headers(scope=scope)))
        logs.bind_request_id(answer.request_id)
        body = await _bounded_body(Headers(scope=scope), receive)
        if body is None or _is_too_deep(body):
            await _refusal_of(body)(scope, receive, answer.send)
        else:
            await self._serve(scope, _replay(body, receive), answer)
        _tell(scope, answer, perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:  # The door: whatever it is, it must not get out as text.
            logs.error(
                "request_failed",
                error_class=type(error).__name__,
                route=_route(scope),
            )
            if answer.status is None:
                fault = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the service")
                await fault(scope, receive, answer.send)


class _Answer:
    """What goes out, with the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self._send = send
        self._headers = {**_HEADERS, REQUEST_ID: request_id}
        if scope.get("scheme") == "https":
            self._headers["strict-transport-security"] = "max-age=63072000"
        scope.setdefault("state", {})["request_id"] = request_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _tell(scope: Scope, answer: _Answer, seconds: float) -> None:
    """One line and one count for each request; never its path, which can hold a local id."""
    status = answer.status or 0
    count_request(scope["state"].get("action", "none"), status, seconds)
    logs.info(
        "request_answered",
        route=_route(scope),
        method=scope["method"] if scope["method"] in _METHODS else "other",
        status=status,
        duration_ms=round(seconds * 1000, 3),
    )


def _route(scope: Scope) -> str:
    route: str = scope["state"].get("route", "none")
    return route


def _refusal_of(body: bytes | None) -> Response:
    if body is None:
        words = f"body: must not be longer than {REQUEST_BYTES_MAX} bytes"
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
    words = f"body: must not nest deeper than {JSON_DEPTH_MAX} levels"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, words)


def _is_too_deep(body: bytes) -> bool:
    """Whether brackets outside texts nest too deeply; most bodies have not even so many."""
    if body.count(b"[") + body.count(b"{") <= JSON_DEPTH_MAX:
        return False
    depth = 0
    for token in _BRACKETS.finditer(body):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > JSON_DEPTH_MAX:
            return True
    return False


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID, "")
    return given if _SOUND_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


async def _bounded_body(headers: Headers, receive: Receive) -> bytes | None:
    """The whole body, or None if it is too long."""
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > REQUEST_BYTES_MAX:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > REQUEST_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def receive_replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_replayed

"""What every request passes on its way in and out, whichever interface it is for.

A request gets an id, its body is bounded, nothing of the answer may be kept on the way, and a
fault of ours becomes a bare 500: its text and traceback can hold values and so go nowhere.
"""

from __future__ import annotations

import logging
import re
import uuid
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from mpi.limits import REQUEST_BYTES_MAX

REQUEST_ID: Final = "x-request-id"
_LOG: Final = logging.getLogger("mpi.api")
_SOUND_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Door:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        is_started = False

        async def send_guarded(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                MutableHeaders(scope=message).update({**_HEADERS, REQUEST_ID: request_id})
            await send(message)

        body = await _bounded_body(Headers(scope=scope), receive)
        if body is None:
            too_large = problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"body: must not be longer than {REQUEST_BYTES_MAX} bytes",
            )
            await too_large(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, _replay(body, receive), send_guarded)
        except Exception as error:  # The door: whatever it is, it must not get out as text.
            _LOG.error(
                "request_failed error_class=%s request_id=%s", type(error).__name__, request_id
            )
            if not is_started:
                fault = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the service")
                await fault(scope, receive, send_guarded)


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

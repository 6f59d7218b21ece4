"""The server over a live index, for tests, and people who have nothing in common to say to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import Any
from urllib.parse import unquote

from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from starlette.routing import compile_path

from api.app import create_app
from api.wiring import Service
from mpi.clock import FixedClock
from mpi.config import read_source_systems
from mpi.domain.policy import Role
from mpi.storage.engine import Store
from tests.callers import caller_of, issued
from tests.live_index import START, LiveIndex

EVENT_AT = "2026-01-05T09:00:00Z"
_GIVEN = ("Ada", "Bruno", "Chloe", "Dmitri", "Esther", "Farid", "Greta", "Hugo", "Iris", "Joao")
_FAMILY = ("Okafor", "Lindqvist", "Marchetti", "Przybylski", "Tanaka", "Vasquez", "Whitlock")
_PEOPLE = count(1)
_ROLES = (Role.INTEGRATION, Role.STEWARD)


@dataclass(slots=True)
class LiveApi:
    """A client of a server, and the store and clock behind it."""

    client: TestClient
    store: Store
    clock: FixedClock

    def put(self, record: str, told: dict[str, Any], **headers: str) -> Any:
        """What registering `source/local_id` (as an address has it) is answered with."""
        return self.sent("PUT", f"/v1/sources/{_path(record)}", told, headers=headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.sent("POST", f"/v1/{path}", body)

    def get(self, path: str, **query: Any) -> Any:
        return self.sent("GET", f"/v1/{path}", None, params=query)

    def sent(self, method: str, path: str, body: Any, **options: Any) -> Any:
        """The answer, which must be as the description says."""
        response = self.client.request(method, path, json=body, **options)
        assert response.status_code == 200, response.text
        assert_described(self.client, method, path.partition("?")[0], response.json())
        return response.json()

    def refusal(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        """Status and sentence of a request that must fail, always as problem details."""
        headers = {"Content-Type": "application/json"} | options.pop("headers", {})
        content = None if body is None else json.dumps(body)
        response = self.client.request(
            method, f"/v1/{path}", content=content, headers=headers, **options
        )
        assert response.headers["content-type"] == "application/problem+json", response.text
        return response.status_code, response.json()["detail"]


@contextmanager
def live_api(store: Store) -> Iterator[LiveApi]:
    """A served store, prepared as an installation's is."""
    live = LiveIndex(store)
    live.close()
    clock = FixedClock(START)
    service = Service(store=store, index=live.index, clock=clock)
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        sources = tuple(read_source_systems())
        caller = caller_of(client.app, *_ROLES, sources=sources)
        client.auth = partial(_authorised, caller, client.app)
        yield LiveApi(client, store, clock)


def _authorised(client_id: str, app: Any, request: Any) -> Any:
    """The request with a token of this moment: clocks are set in tests, and tokens run out."""
    token = issued(app, client_id, *_ROLES)
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def assert_described(client: TestClient, method: str, path: str, answer: Any) -> None:
    """The answer has the fields that its route documents, and no others."""
    model = next(
        model
        for methods, pattern, model in _models(client.app)
        if method in methods and pattern.fullmatch(unquote(path))
    )
    told = model.dump_python(model.validate_python(answer), mode="json", exclude_unset=True)
    assert _fields(told) == _fields(answer)


def _fields(value: Any) -> Any:
    """The names of fields at every depth."""
    if isinstance(value, dict):
        return {name: _fields(each) for name, each in value.items()}
    return [_fields(each) for each in value] if isinstance(value, list) else None


@cache
def _models(app: Any) -> list[tuple[set[str], re.Pattern[str], TypeAdapter[Any]]]:
    return [
        (route.methods, compile_path(route.path)[0], TypeAdapter(route.responses[200]["model"]))
        for route in iter_route_contexts(app.routes)
        if 200 in (getattr(route, "responses", None) or {})
    ]


def somebody(**changes: Any) -> dict[str, Any]:
    """A statement about a human whom no other call has named."""
    n = next(_PEOPLE)
    told = {
        "event_at": EVENT_AT,
        "given_name": _GIVEN[n % len(_GIVEN)],
        "family_name": f"{_FAMILY[n % len(_FAMILY)]}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}",
        "date_of_birth": f"{1930 + n % 70}-{1 + n % 12:02}-{2 + n * 7 % 26:02}",
        "sex": "MF"[n % 2],
        "address": f"{n} {_FAMILY[n % 5]} Road",
        "postcode": f"DT{1 + n % 9} {n // 20 % 9}{chr(65 + n % 20)}{chr(66 + n // 20 % 20)}",
    }
    return told | changes


def _path(record: str) -> str:
    source, _, local_id = record.partition("/")
    return f"{source}/records/{local_id}"

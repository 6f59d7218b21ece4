"""The server over a live index, for tests, and people who have nothing in common to say to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from fastapi.testclient import TestClient

from api.app import create_app
from api.wiring import Service
from mpi.clock import FixedClock
from mpi.storage.engine import Store
from tests.live_index import START, LiveIndex

EVENT_AT = "2026-01-05T09:00:00Z"
_GIVEN = ("Ada", "Bruno", "Chloe", "Dmitri", "Esther", "Farid", "Greta", "Hugo", "Iris", "Joao")
_FAMILY = ("Okafor", "Lindqvist", "Marchetti", "Przybylski", "Tanaka", "Vasquez", "Whitlock")
_PEOPLE = count(1)


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
        response = self.client.get(f"/v1/{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def sent(self, method: str, path: str, body: Any, **options: Any) -> Any:
        response = self.client.request(method, path, json=body, **options)
        assert response.status_code == 200, response.text
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
        yield LiveApi(client, store, clock)


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

"""Unique strings in every wrong place of every route, as every role: they come out nowhere.

A local id in a request's path is the one exception, and the log has only the route's template. What
is right and succeeds is swept by `test_canary_day.py`.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.guard import GuardedRoute, guarded_routes
from api.wiring import Service
from mpi.clock import SystemClock
from mpi.domain.policy import Role
from mpi.storage.engine import Store, open_store
from mpi.storage.unit_of_work import reading
from tests.callers import headers_of
from tests.small_region import fill, person_id, spec_index

CANARY = "XYZZYCANARY"
FIELDS = (
    "given_name", "family_name", "middle_name", "date_of_birth", "sex", "address", "town",
    "postcode", "phone", "email", "nhs_number",
)  # fmt: skip
BODIES: list[Any] = [
    {"demographics": {field: f"{CANARY}{field}" for field in FIELDS}},
    {"demographics": {"family_name": CANARY, "given_name": CANARY}},
    {"demographics": {CANARY: CANARY}},
    {"demographics": CANARY},
    {"nhs_number": CANARY},
    {"record": f"gp:{CANARY}"},
    {"person_id": CANARY},
    {"event_at": CANARY, "demographics": {"family_name": CANARY}},
    {"event_at": "2026-05-01T12:00:00Z", "demographics": {"family_name": CANARY}},
    {"reason": CANARY, "records": [CANARY], "left": [CANARY], "right": [CANARY]},
    {CANARY: CANARY},
    [CANARY],
    CANARY,
]
WRONG_HEADERS = {"X-Purpose-Of-Use": CANARY, "X-Request-ID": f"{CANARY} {CANARY}", CANARY: CANARY}
RAW = [f"{{{CANARY}".encode(), f'{{"{CANARY}": '.encode(), b"\xff" + CANARY.encode()]


@pytest.fixture(scope="module")
def store(new_database: Any) -> Iterator[Store]:
    opened = open_store(new_database("sqlite"))
    fill(opened, spec_index())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    service = Service(store=store, index=spec_index(), clock=SystemClock())
    with TestClient(create_app(service), client=("127.0.0.1", 1)) as client:
        yield client


def paths(route: GuardedRoute, filling: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)[^}]*\}", lambda part: filling.get(part[1], CANARY), route.template)


def requests(client: TestClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every route, with sound and unsound parts of its path, queries, headers and bodies."""
    sound = {"source": "gp", "local_id": "G1", "person_id": person_id(1), "number": "1"}
    for route in guarded_routes(client.app):
        for method in route.methods - {"HEAD"}:
            for filling in ({}, sound, {"source": "gp"}):
                path = paths(route, filling)
                yield method, path, {"params": {CANARY: CANARY, "limit": CANARY}}
                yield method, path, {"headers": WRONG_HEADERS}
                yield method, path, {"headers": {"X-User-Id": f"{CANARY} {CANARY}"}}
                for body in BODIES if method != "GET" else ():
                    yield method, path, {"json": body}
                for raw in RAW if method != "GET" else ():
                    yield method, path, {"content": raw}
    yield "GET", f"/{CANARY}", {}
    yield CANARY, "/v1/resolve", {}
    yield "POST", "/oauth2/token", {"data": {"grant_type": CANARY, "client_assertion": CANARY}}


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_what_is_sent_comes_out_nowhere(
    client: TestClient, store: Store, role: Role | None, log: io.StringIO,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    headers = headers_of(client.app, role, sources=("gp", "ed")) if role else {}
    count = 0
    for method, path, options in requests(client):
        given = headers | options.pop("headers", {})
        response = client.request(method, path, headers=given, **options)
        count += 1
        where = f"{method} {path} {options}"
        assert response.status_code < 500, where
        assert CANARY not in str(response.headers), where
        if not is_shown_back(response.json() if is_json(response) else response.text):
            assert CANARY not in response.text, where
    assert count > 100
    client.get("/metrics")
    assert CANARY not in client.get("/metrics").text
    said = capfd.readouterr()
    assert CANARY not in log.getvalue() + caplog.text + said.out + said.err
    assert log.getvalue().count("request_answered") >= count


def is_json(response: Any) -> bool:
    return "json" in response.headers.get("content-type", "")


def is_shown_back(content: Any) -> bool:
    """A person's golden record, or a record's content, told to who may see it: none of the
    canaries was registered, so nothing is shown back unless a route stored it."""
    return isinstance(content, dict) and bool({"persons", "golden", "content"} & content.keys())


def test_the_trail_holds_no_demographics(client: TestClient, store: Store) -> None:
    """After all of that: local ids are in the trail, values of people are not."""
    with reading(store) as unit:
        rows = unit.connection.execute(sa.text("SELECT * FROM audit_event")).all()
        sent = unit.connection.execute(sa.text("SELECT payload, reason FROM outbox_event")).all()
    text = json.dumps([list(map(str, row)) for row in [*rows, *sent]])
    assert len(rows) > 100
    assert not [field for field in FIELDS if f"{CANARY}{field}" in text]
    assert "Okafor" not in text
    assert "9990000018" not in text


def test_no_secret_is_in_what_an_object_says_of_itself(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from mpi.services.signing_keys import create_keys, open_keys
    from mpi.settings import Settings
    from mpi.storage.webhooks import Webhook

    create_keys(tmp_path / "keys")
    private = json.loads((tmp_path / "keys" / "signing-keys.json").read_text())["keys"][0]["d"]
    hook = Webhook(
        id="wh", organisation="RBD", url="https://x", secret=CANARY, event_types=frozenset(),
        is_own_only=False, created_at=datetime.now(UTC),
    )  # fmt: skip
    said = repr(open_keys(tmp_path / "keys")) + repr(hook) + repr(Settings(database_url=CANARY))
    assert CANARY not in said
    assert private not in said

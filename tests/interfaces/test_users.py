"""A portal shows people to its users: the index is told which, and the trail keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.wiring import Service
from mpi.clock import SystemClock
from mpi.domain.policy import Role
from mpi.storage.engine import Store
from tests.callers import USER, headers_of, token_of
from tests.live_api import live_api, somebody
from tests.serving import run_command
from tests.small_region import ADA, fill, person_id, spec_index

PATH = f"/v1/persons/{person_id(1)}"
NURSE = {"id": "nurse@j81001", "role": "R8001", "organisation": "J81001"}


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    fill(store, spec_index())
    service = Service(store=store, index=spec_index(), clock=SystemClock())
    with TestClient(create_app(service)) as client:
        yield client


def portal(client: TestClient) -> dict[str, str]:
    """The headers of a view service that names nobody."""
    return {"Authorization": f"Bearer {token_of(client.app, Role.VIEW)}"}


def seen_by(client: TestClient) -> list[dict[str, Any]]:
    auditor = headers_of(client.app, Role.AUDITOR)
    told: list[dict[str, Any]] = client.get(f"{PATH}/disclosures", headers=auditor).json()[
        "disclosures"
    ]
    return told


def test_a_view_service_says_for_whom_it_asks_or_is_told_nothing(client: TestClient) -> None:
    headers, question = portal(client), {"demographics": ADA}
    for refused in (
        client.get(PATH, headers=headers),
        client.get(f"{PATH}/records", headers=headers),
        client.get(f"{PATH}/history", headers=headers),
        client.get("/v1/sources/gp/records/G1", headers=headers),
        client.post("/v1/resolve", headers=headers, json=question),
    ):
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith("X-User-Id, X-User-Role, X-User-Organisation:")
        assert "golden" not in refused.text
    assert client.post("/v1/resolve", headers=headers | USER, json=question).status_code == 200
    assert client.get("/v1/changes", headers=headers).status_code == 200


def test_who_looked_is_kept_and_shown_to_auditors(client: TestClient, store: Store) -> None:
    purpose = {"X-Purpose-Of-Use": "ETREAT"}
    client.get(PATH, headers=portal(client) | USER | purpose)
    client.get(PATH, headers=headers_of(client.app, Role.STEWARD))
    by_steward, by_nurse = seen_by(client)
    assert by_steward["user"] is None
    assert (by_nurse["user"], by_nurse["purpose"]) == (NURSE, "ETREAT")
    settings = {"MPI_DATABASE_URL": store.engine.url.render_as_string(hide_password=False)}
    told = run_command(settings, "audit", "who-saw", str(person_id(1)), "--json")
    assert NURSE in [row["user"] for row in json.loads(told)]
    assert "nurse" in run_command(settings, "audit", "who-saw", str(person_id(1)))


@pytest.mark.parametrize("name", sorted(USER))
@pytest.mark.parametrize("value", [None, "", "Ada Okafor", "x" * 200, "é"], ids=repr)
def test_a_user_is_named_wholly_and_by_codes(
    client: TestClient, name: str, value: str | None
) -> None:
    given = {each: text for each, text in USER.items() if each != name}
    if value is not None:
        given[name] = value.encode("utf-8")  # type: ignore[assignment]
    refused = client.get(PATH, headers=headers_of(client.app, Role.STEWARD) | given)
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith(f"{name}:")
    assert value is None or not value or value not in refused.text


def test_who_changed_something_for_a_user_is_kept_too(store: Store) -> None:
    with live_api(store) as api:
        api.put("gp/1", somebody(), **USER)
        person = api.post("resolve", {"record": "gp:1"})["persons"][0]["person_id"]
        auditor = headers_of(api.client.app, Role.AUDITOR)
        reading = TestClient(api.client.app)
        told = reading.get(f"/v1/persons/{person}/disclosures", headers=auditor).json()
    users = [each["user"] for each in told["disclosures"] if each["action"] == "register"]
    assert users
    assert all(user == NURSE for user in users)

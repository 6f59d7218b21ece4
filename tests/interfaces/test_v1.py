"""The JSON API answers who somebody is, leaves a trail, and never repeats what it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.wiring import Service
from mpi.clock import FixedClock
from mpi.domain.policy import Role
from mpi.limits import REQUEST_BYTES_MAX
from mpi.storage.audit import list_audit_events
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import reading, writing
from tests.callers import client_id, headers_of
from tests.small_region import ADA, fill, person_id, spec_index

CANARY = "XYZZYCANARY"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def service(module_store: Store) -> Service:
    index = spec_index()
    fill(module_store, index)
    return Service(store=module_store, index=index, clock=FixedClock(NOW))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        client.headers.update(headers_of(client.app, Role.STEWARD))
        yield client


def resolve(client: TestClient, **question: Any) -> Any:
    response = client.post("/v1/resolve", json=question)
    assert response.status_code == 200, response.text
    return response.json()


def test_demographics_find_the_person_with_certainty(client: TestClient) -> None:
    answer = resolve(client, demographics=ADA | {"given_name": "ADA", "date_of_birth": "2/3/1989"})
    assert [person["person_id"] for person in answer["persons"]] == [person_id(1)]
    assert answer["persons"][0]["evidence"]["grade"] == "certain"
    assert answer["persons"][0]["golden"]["family_name"] == "Okafor"
    assert answer["is_complete"]


def test_the_explanation_sums_to_the_weight_exactly(client: TestClient) -> None:
    evidence = resolve(client, demographics=ADA)["persons"][0]["evidence"]
    total = evidence["prior_bits"]
    for step in evidence["steps"]:
        total = total + step["weight_bits"] + step["adjustment_bits"]
    assert total == evidence["match_weight_bits"]


@pytest.mark.parametrize(
    ("question", "number"),
    [
        pytest.param({"nhs_number": "999 000 0018"}, 1, id="NHS number"),
        pytest.param({"record": "ed:E/7"}, 1, id="source record"),
        pytest.param({"person_id": person_id(4)}, 4, id="person id"),
        pytest.param({"person_id": person_id(4).lower()}, 4, id="person id as a clerk types it"),
    ],
)
def test_identifiers_find_the_person(
    client: TestClient, question: dict[str, str], number: int
) -> None:
    answer = resolve(client, **question)
    assert [person["person_id"] for person in answer["persons"]] == [person_id(number)]
    assert answer["persons"][0]["evidence"] is None


def test_a_valid_number_that_nobody_has_finds_nobody(client: TestClient) -> None:
    assert resolve(client, nhs_number="9990000034")["persons"] == []


def test_a_person_is_read_with_records(client: TestClient) -> None:
    person = client.get(f"/v1/persons/{person_id(1)}").json()
    assert person["golden"]["given_name"] == "Ada"
    records = client.get(f"/v1/persons/{person_id(1)}/records").json()["records"]
    assert [(r["source"], r["local_id"]) for r in records] == [("ed", "E/7"), ("gp", "G1")]


def test_a_record_is_read_by_its_own_id(client: TestClient) -> None:
    record = client.get("/v1/sources/ed/records/E%2F7").json()
    assert record["person_id"] == person_id(1)
    assert record["content"]["given_name"] == "Adah"
    assert record["registered_at"] == "2026-03-03T09:00:00Z"


def test_every_disclosure_is_audited_first(client: TestClient, service: Service) -> None:
    client.get(f"/v1/persons/{person_id(2)}", headers={"X-Request-ID": "audited-1"})
    with reading(service.store) as unit:
        latest = list_audit_events(unit, person_id(2))[0]
    assert (latest.action, latest.request_id) == ("read_person", "audited-1")
    assert latest.recorded_at == NOW


def test_an_auditor_reads_who_saw_a_person(client: TestClient) -> None:
    client.get(f"/v1/persons/{person_id(3)}")
    auditor = headers_of(client.app, Role.AUDITOR)
    answer = client.get(f"/v1/persons/{person_id(3)}/disclosures", headers=auditor).json()
    told = answer["disclosures"][0]
    assert (told["actor"], told["organisation"]) == (client_id(Role.STEWARD), "J81001")
    assert (told["action"], told["purpose"]) == ("read_person", "HOPERAT")


def test_nobody_found_is_audited_too(client: TestClient, service: Service) -> None:
    headers = {"X-Request-ID": "audited-2"}
    client.get(f"/v1/persons/{person_id(99)}", headers=headers)
    query = sa.text("SELECT person_id FROM audit_event WHERE request_id = 'audited-2'")
    with reading(service.store) as unit:
        assert [row.person_id for row in unit.rows(query)] == [None]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        pytest.param("GET", f"/v1/persons/{person_id(99)}", None, 404, "no person", id="unknown"),
        pytest.param("GET", f"/v1/persons/{CANARY}", None, 422, "person_id", id="bad id"),
        pytest.param(
            "GET", f"/v1/sources/gp/records/{CANARY}", None, 404, "record", id="no record"
        ),
        pytest.param(
            "GET", f"/v1/sources/{CANARY}/records/1", None, 422, "source", id="bad source"
        ),
        pytest.param("GET", f"/nowhere/{CANARY}", None, 404, "path", id="no route"),
        pytest.param("PUT", "/v1/resolve", None, 405, "method", id="wrong method"),
        pytest.param("POST", "/v1/resolve", {}, 422, "give one of", id="nothing asked"),
        pytest.param(
            "POST", "/v1/resolve", {"nhs_number": CANARY}, 422, "nhs_number", id="bad number"
        ),
        pytest.param(
            "POST", "/v1/resolve", {CANARY: "1"}, 422, "not known here", id="unknown field"
        ),
        pytest.param(
            "POST",
            "/v1/resolve",
            {"demographics": {"given_name": [CANARY]}},
            422,
            "body.demographics.given_name: must be a text",
            id="wrong type",
        ),
        pytest.param(
            "POST",
            "/v1/resolve",
            {"demographics": {"family_name": CANARY * 100}},
            422,
            "too long",
            id="too long",
        ),
        pytest.param(
            "POST",
            "/v1/resolve",
            {"demographics": {"given_name": ""}},
            422,
            "at least one field",
            id="empty demographics",
        ),
        pytest.param("POST", "/v1/resolve", CANARY, 422, "JSON object", id="no object"),
        pytest.param("POST", "/v1/resolve", {"record": CANARY}, 422, "record", id="no colon"),
    ],
)
def test_refusals_name_the_field_and_never_the_value(
    client: TestClient, method: str, path: str, body: Any, status: int, words: str
) -> None:
    response = client.request(method, path, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]
    assert CANARY not in response.text
    assert CANARY not in str(response.headers)


def test_fields_that_are_told_alike_are_told_once(client: TestClient) -> None:
    asked = {"given_name": "A", "family_name": "B", "person_id": 1}
    told = client.post("/v1/resolve", json=asked).json()
    rules = {"body.person_id": "must be a text", "body": "has a field that is not known here"}
    assert told["errors"] == [{"field": field, "rule": rule} for field, rule in rules.items()]
    assert told["detail"] == "; ".join(f"{field}: {rule}" for field, rule in rules.items())


@pytest.mark.parametrize(
    "body", [b"{" + CANARY.encode(), b"\xff\xfe", b"[" * 100_000], ids=["cut", "bytes", "deep"]
)
def test_what_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    response = client.post(
        "/v1/resolve", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert response.json()["detail"].startswith("body: ")
    assert response.headers["content-type"] == "application/problem+json"
    assert CANARY not in response.text


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "streamed"])
def test_a_long_body_is_refused(client: TestClient, is_announced: bool) -> None:
    body = b" " * (REQUEST_BYTES_MAX + 1)
    content: Any = body if is_announced else (part for part in (body[:-1], body[-1:]))
    response = client.post("/v1/resolve", content=content)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_answers_are_kept_nowhere(client: TestClient) -> None:
    for path in ("/health/live", f"/v1/persons/{person_id(1)}", "/nowhere"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_a_strange_request_id_is_replaced(client: TestClient) -> None:
    answered = client.get("/health/live", headers={"X-Request-ID": "a b\tc"})
    assert answered.headers["x-request-id"] != "a b\tc"


def test_health_says_which_model_is_in_force(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json()["model_digest"] == "0" * 64


def test_a_store_of_another_release_is_not_ready(client: TestClient, service: Service) -> None:
    change = "UPDATE model_release SET digest = '{}' WHERE number = 1"
    with writing(service.store) as unit:
        unit.connection.execute(sa.text(change.format("1")))
    response = client.get("/health/ready")
    with writing(service.store) as unit:
        unit.connection.execute(sa.text(change.format("0" * 64)))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "another model release" in response.json()["detail"]


def test_a_fault_of_ours_shows_nothing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    application = client.app

    @application.get("/faulty", name="live", include_in_schema=False)  # type: ignore[attr-defined]
    def faulty() -> None:
        raise KeyError(CANARY)

    response = client.get("/faulty")
    assert response.status_code == 500
    assert CANARY not in response.text + caplog.text
    failed = [each for each in caplog.records if each.message == "request_failed"]
    assert failed[0].event_fields["error_class"] == "KeyError"


def test_the_description_has_examples_and_every_route(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    operations = [each for path in described["paths"].values() for each in path.values()]
    assert all(each.get("description") for each in operations)
    assert {"/v1/resolve", "/v1/sources/{source}/records/{local_id}"} <= set(described["paths"])
    for name in ("KeyedStatementBody", "DecisionBody", "ReplyBody", "RegisteredResponse"):
        assert described["components"]["schemas"][name]["examples"], name
    assert described["components"]["schemas"]["ResolveRequest"]["examples"]


def test_the_page_for_people_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "POST /v1/resolve" in page.text
    assert "<script" not in page.text
    assert "://" not in page.text
    assert client.get("/redoc").status_code == 404

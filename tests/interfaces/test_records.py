"""Source systems register, delete and merge records over HTTP; garbage harms only itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from api.v1.records import StatementBody
from mpi.services import statements
from mpi.storage.engine import Store
from tests.live_api import EVENT_AT, LiveApi, live_api, somebody

LATER = "2026-02-05T09:00:00Z"
GP = "sources/gp/records"


@pytest.fixture(scope="module")
def api(module_store: Store) -> Iterator[LiveApi]:
    with live_api(module_store) as served:
        yield served


def test_a_second_record_of_a_person_joins_the_first(api: LiveApi) -> None:
    told = somebody()
    first, second = api.put("gp/1", told), api.put("poole-council/1", told)
    assert (first["outcome"], second["outcome"]) == ("new", "linked")
    assert second["person_id"] == first["person_id"]
    assert (second["record"], second["explained_by"]) == ("poole-council:1", "gp:1")
    assert second["match_weight_bits"] > 0
    assert second["tasks_opened"] == []
    assert second["is_complete"]
    explained = api.post("explain", {"left": "poole-council:1", "right": "gp:1"})
    assert explained["match_weight_bits"] == pytest.approx(second["match_weight_bits"], abs=1e-6)


def test_saying_the_same_again_changes_nothing(api: LiveApi) -> None:
    told = somebody()
    first, again = api.put("gp/same", told), api.put("gp/same", told)
    assert (again["outcome"], again["person_id"]) == ("unchanged", first["person_id"])


def test_a_repeated_message_gets_its_first_answer(api: LiveApi) -> None:
    told, key = somebody(), {"Idempotency-Key": "message-1"}
    first = api.put("gp/retried", told, **key)
    api.put("gp/retried", told | {"phone": "01305 251150", "event_at": LATER})
    assert api.put("gp/retried", told, **key) == first
    status, detail = api.refusal("PUT", f"{GP}/retried", somebody(), headers=key)
    assert (status, "idempotency_key" in detail) == (409, True)


def test_everything_that_a_source_knows_is_kept_as_it_was_written(api: LiveApi) -> None:
    told = somebody(
        middle_name=" Ngozi  ",
        other_phones=["01305 1", ""],
        previous_names=[{"family_name": "Eze", "kind": "maiden"}, {}],
        previous_addresses=[{"postcode": "BH1 1AA", "until": "2019"}],
        related_people=[{"name": "Obi", "relationship": "father", "phone": None}],
        language="",
        email=None,
    )
    api.put("gp/whole", told)
    content = api.get(f"{GP}/whole")["content"]
    assert content["middle_name"] == " Ngozi  "
    assert content["other_phones"] == ["01305 1"]
    assert content["previous_names"] == [{"family_name": "Eze", "kind": "maiden"}]
    assert content["related_people"] == [{"name": "Obi", "relationship": "father"}]
    assert not {"language", "email", "event_at"} & set(content)


@pytest.mark.parametrize("local_id", ["E%2F7", "E/8", "a:merge", "%3A1:2", "ü%20n", "50%25"])
def test_any_local_id_can_be_addressed(api: LiveApi, local_id: str) -> None:
    put = api.put(f"gp/{local_id}", somebody())
    assert api.get(f"{GP}/{local_id}")["person_id"] == put["person_id"]
    api.post(f"{GP}/{local_id}:merge", {"into": "other"})
    assert api.get(f"{GP}/{local_id}")["state"] == "merged"
    api.post(f"{GP}/{local_id}:unmerge")
    assert api.get(f"{GP}/{local_id}")["person_id"] == put["person_id"]


def test_a_deleted_record_comes_back_with_its_person(api: LiveApi) -> None:
    told = somebody()
    person_id = api.put("gp/deleted", told)["person_id"]
    deleted = api.sent("DELETE", f"/v1/{GP}/deleted", None, params={"event_at": LATER})
    assert (deleted["outcome"], deleted["person_id"]) == ("deleted", None)
    assert api.sent("DELETE", f"/v1/{GP}/deleted", None)["outcome"] == "unchanged"
    late = api.put("gp/deleted", told | {"title": "Dr"})
    assert late["person_id"] is None, "it was said before the deletion"
    back = api.put("gp/deleted", told | {"event_at": "2026-03-01T09:00:00Z"})
    assert back["person_id"] == person_id


def test_a_version_is_taken_back(api: LiveApi) -> None:
    told = somebody()
    api.put("gp/error", told)
    api.put("gp/error", told | {"email": "x@example.org", "event_at": LATER})
    wrong = told | {"email": "x@example.org", "event_at": LATER, "entered_in_error": True}
    api.put("gp/error", wrong)
    assert "email" not in api.get(f"{GP}/error")["content"]
    again = wrong | {"entered_in_error": False}
    assert api.put("gp/error", again)["outcome"] == "unchanged"
    assert "email" not in api.get(f"{GP}/error")["content"]
    api.put("gp/error", again | {"sequence": 1})
    assert "email" in api.get(f"{GP}/error")["content"]


def test_another_human_on_the_same_local_id_is_held(api: LiveApi) -> None:
    first = api.put("gp/held", somebody())
    held = api.put("gp/held", somebody(event_at=LATER))
    assert (held["outcome"], held["person_id"]) == ("held", first["person_id"])
    assert len(held["tasks_opened"]) == 1


def test_a_batch_answers_for_each_in_order(api: LiveApi) -> None:
    told = somebody()
    results = api.post(
        "records:batch",
        {
            "records": [
                {"source": "gp", "local_id": "batch-1", "request_key": "k1", **told},
                {"source": "nowhere", "local_id": "1", **told},
                {"source": "gp", "local_id": "batch-1", **told, "event_at": "yesterday"},
                "no object",
                {"source": "poole-council", "local_id": "batch-2", **told},
            ]
        },
    )["results"]
    assert [list(each) for each in results] == [
        ["registered"], ["problem"], ["problem"], ["problem"], ["registered"],
    ]  # fmt: skip
    assert [each["problem"]["status"] for each in results[1:4]] == [403, 422, 422]
    outcomes = [results[place]["registered"]["outcome"] for place in (0, 4)]
    assert outcomes == ["new", "linked"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"surname": "X"}, "not known here", id="unknown field"),
        pytest.param({"event_at": None}, "event_at: must be ISO 8601", id="no instant"),
        pytest.param({"event_at": "2026-01-05T09:00:00"}, "time zone", id="no time zone"),
        pytest.param({"event_at": 1_767_600_000}, "event_at", id="number for an instant"),
        pytest.param({"event_at": "0001-01-01T00:00:00+14:00"}, "event_at", id="before time"),
        pytest.param({"event_at": "2031-01-01T00:00:00Z"}, "future", id="far ahead"),
        pytest.param({"given_name": ["CANARY"]}, "given_name: must be a text", id="list"),
        pytest.param({"given_name": "CANARY\0"}, "given_name: has a NUL", id="NUL"),
        pytest.param({"family_name": "CANARY\ud800"}, "family_name: has a NUL", id="surrogate"),
        pytest.param({"address": "CANARY" * 9_000}, "address: is longer", id="long"),
        pytest.param({"sequence": 2**63}, "sequence", id="sequence too large"),
        pytest.param({"sequence": True}, "sequence", id="sequence no number"),
        pytest.param({"entered_in_error": "yes"}, "entered_in_error", id="no boolean"),
        pytest.param({"other_phones": "CANARY"}, "other_phones: must be a list", id="no list"),
        pytest.param({"previous_names": ["CANARY"]}, "previous_names", id="no part"),
        pytest.param({"previous_names": [{"CANARY": "1"}]}, "previous_names", id="odd part"),
        pytest.param({"related_people": [{}] * 101}, "at most 100", id="many parts"),
    ],
)
def test_a_bad_statement_is_refused_by_field_and_rule(
    api: LiveApi, changes: dict[str, Any], words: str
) -> None:
    status, detail = api.refusal("PUT", f"{GP}/bad", somebody(**changes))
    assert status == 422
    assert words in detail
    assert "CANARY" not in detail


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        pytest.param("PUT", f"{GP}/1", {}, 422, "event_at", id="empty"),
        pytest.param("PUT", "sources/nowhere/records/1", {}, 403, "source", id="nobody's source"),
        pytest.param("PUT", f"{GP}/1", [], 422, "JSON object", id="list"),
        pytest.param("PUT", f"{GP}/%FF", {"event_at": EVENT_AT}, 422, "UTF-8", id="bytes"),
        pytest.param("PUT", f"{GP}/a%00", {"event_at": EVENT_AT}, 422, "local_id", id="NUL"),
        pytest.param("DELETE", f"{GP}/never", None, 404, "record", id="delete unknown"),
        pytest.param("DELETE", f"{GP}/1?event_at=x", None, 422, "event_at", id="bad instant"),
        pytest.param("POST", f"{GP}/1:merge", {}, 422, "body.into: is missing", id="no into"),
        pytest.param("POST", f"{GP}/1:merge", {"into": "1"}, 422, "into", id="into itself"),
        pytest.param("POST", f"{GP}/1:unmerge", None, 409, "not merged", id="not merged"),
        pytest.param("POST", f"{GP}/1", {}, 405, "method", id="no act"),
        pytest.param("POST", "records:batch", {"records": {}}, 422, "list", id="no batch"),
        pytest.param("POST", "records:batch", {"records": [1] * 1_001}, 422, "1000", id="many"),
        pytest.param(
            "POST", "explain", {"left": "gp:1", "right": "gp:never"}, 404, "record", id="unlive"
        ),
    ],
)
def test_bad_requests_are_refused(
    api: LiveApi, method: str, path: str, body: Any, status: int, words: str
) -> None:
    api.put("gp/1", somebody())
    refused, detail = api.refusal(method, path, body)
    assert (refused, words in detail) == (status, True), detail


def test_a_form_is_told_to_be_json(api: LiveApi) -> None:
    response = api.client.put(f"/v1/{GP}/form", content=b"{}", headers={"Content-Type": "x/y"})
    assert response.status_code == 422
    assert "application/json" in response.json()["detail"]


def test_a_strange_idempotency_key_is_refused(api: LiveApi) -> None:
    headers = {"Idempotency-Key": "k" * 201}
    status, detail = api.refusal("PUT", f"{GP}/key", somebody(), headers=headers)
    assert (status, "idempotency_key" in detail) == (422, True)


def test_an_empty_record_is_registered(api: LiveApi) -> None:
    assert api.put("gp/empty", {"event_at": EVENT_AT})["outcome"] == "new"


def test_the_description_lists_what_the_parser_knows() -> None:
    assert set(StatementBody.model_fields) == statements.STATEMENT_FIELDS


def test_a_full_store_is_told_and_recovers(api: LiveApi) -> None:
    """SQLite's own limit on pages is a disk that is full."""
    if not api.store.is_sqlite:
        pytest.skip("PostgreSQL cannot be made full for one database")
    _limit_pages(api, 1)  # SQLite takes the pages that there are for the least.
    response = api.client.put(f"/v1/{GP}/full", json=somebody(address="9" * 20_000))
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "full" in response.json()["detail"]
    _limit_pages(api, 2**31)
    assert api.put("gp/full", somebody())["outcome"] == "new"


def _limit_pages(api: LiveApi, pages: int) -> None:
    """For every connection of the pool, whichever the writer gets."""
    opened = [api.store.engine.raw_connection() for _ in range(5)]
    for connection in opened:
        connection.cursor().execute(f"PRAGMA max_page_count={pages}")
        connection.close()


def test_what_looks_like_a_statement_of_sql_is_a_text(api: LiveApi) -> None:
    name = "'); DROP TABLE person; --"
    told = somebody(given_name=name, address="1' OR '1'='1", town='";SELECT 1')
    api.put(f"gp/{quote(name)}", told)
    kept = api.get(f"sources/gp/records/{quote(name)}")["content"]
    assert {field: kept[field] for field in ("given_name", "address", "town")} == {
        field: told[field] for field in ("given_name", "address", "town")
    }
    asked = {field: told[field] for field in ("given_name", "family_name", "date_of_birth")}
    assert api.post("resolve", {"demographics": asked | {"address": told["address"]}})
    assert api.post("resolve", {"record": f"gp:{name}"})["persons"]

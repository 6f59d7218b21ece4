"""An NHS number is said to be disputed or superseded, and every record with it is judged anew."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mpi.storage.engine import Store
from tests.live_api import LiveApi, live_api, somebody

OLD, NEW, THIRD = "9990000018", "9990000026", "9990000034"


@pytest.fixture
def api(store: Store) -> Iterator[LiveApi]:
    with live_api(store) as served:
        yield served


def two(api: LiveApi) -> set[str]:
    """Two records alike but for two trusted numbers: whose they are."""
    told = somebody()
    for source, number in (("gp", OLD), ("poole-council", NEW)):
        api.put(f"{source}/1", told | {"nhs_number": number, "nhs_number_status": "01"})
    return persons(api)


def persons(api: LiveApi) -> set[str]:
    return {api.get(f"sources/{s}/records/1")["person_id"] for s in ("gp", "poole-council")}


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            {"nhs_number": OLD, "status": "superseded", "successor": NEW}, id="superseded"
        ),
        pytest.param({"nhs_number": "999 000 0018", "status": "disputed"}, id="disputed"),
    ],
)
def test_a_statement_unites_and_taking_it_back_parts(
    api: LiveApi, statement: dict[str, Any]
) -> None:
    before = two(api)
    assert len(before) == 2
    assert len(api.post("nhs-numbers:preview", statement)["after"]) == 1
    assert persons(api) == before
    api.post("nhs-numbers:state", statement)
    assert len(persons(api)) == 1
    assert api.post("nhs-numbers:state", statement)["merged"] == {}
    api.post("nhs-numbers:retract", {"nhs_number": OLD})
    assert persons(api) == before
    tasks = api.get("tasks")["open_counts"]
    assert "unexplained_split" not in tasks


def test_what_contradicts_is_refused(api: LiveApi) -> None:
    superseded = {"nhs_number": OLD, "status": "superseded", "successor": NEW}
    api.post("nhs-numbers:state", superseded)
    for other, words in (
        ({"nhs_number": OLD, "status": "disputed"}, "in force"),
        ({"nhs_number": OLD, "status": "superseded", "successor": THIRD}, "in force"),
        ({"nhs_number": NEW, "status": "superseded", "successor": OLD}, "superseded by"),
    ):
        status, detail = api.refusal("POST", "nhs-numbers:state", other)
        assert (status, words in detail) == (409, True), detail
    status, _ = api.refusal("POST", "nhs-numbers:retract", {"nhs_number": THIRD})
    assert status == 404


def test_what_a_decision_said_is_retracted_with_it(api: LiveApi) -> None:
    two(api)
    decision = {"kind": "same", "left": ["gp:1"], "right": ["poole-council:1"], "reason": "-"}
    api.post("decisions", decision | {"supersedes": {OLD: NEW}})
    status, detail = api.refusal("POST", "nhs-numbers:retract", {"nhs_number": OLD})
    assert (status, "part of decision" in detail) == (409, True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"nhs_number": "1234567890", "status": "disputed"}, id="check digit"),
        pytest.param({"nhs_number": OLD, "status": "wrong"}, id="status"),
        pytest.param({"nhs_number": OLD, "status": "superseded"}, id="no successor"),
        pytest.param({"nhs_number": OLD, "status": "disputed", "successor": NEW}, id="successor"),
        pytest.param({"nhs_number": OLD, "status": "superseded", "successor": OLD}, id="itself"),
    ],
)
def test_a_bad_statement_is_refused(api: LiveApi, body: dict[str, Any]) -> None:
    status, detail = api.refusal("POST", "nhs-numbers:state", body)
    assert status == 422
    assert not {OLD, "1234567890"} & set(detail.split())


def test_a_statement_and_records_with_the_number_wait_for_one_another(api: LiveApi) -> None:
    """Whichever comes first, a disputed number is trusted nowhere."""
    told = {"nhs_number": OLD, "nhs_number_status": "01"}
    with ThreadPoolExecutor(8) as pool:
        puts = [pool.submit(api.put, f"gp/{n}", somebody(**told)) for n in range(16)]
        stated = pool.submit(
            api.post, "nhs-numbers:state", {"nhs_number": OLD, "status": "disputed"}
        )
        assert stated.result()
        assert all(each.result() for each in puts)
    assert api.post("resolve", {"nhs_number": OLD})["persons"] == []
    with api.store.reader.connect() as connection:
        rows = connection.exec_driver_sql("SELECT nhs_number FROM source_record").all()
    assert [number for (number,) in rows] == [None] * 16

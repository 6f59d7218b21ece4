"""The past is kept: who somebody was then, what happened since, and a feed without gaps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from mpi.storage.engine import Store
from tests.live_api import LiveApi, live_api, somebody
from tests.live_index import START

THEN = "2026-03-03T09:00:00Z"
BEFORE = "2026-03-03T08:59:59Z"
LATER = "2026-02-05T09:00:00Z"


@pytest.fixture(scope="module")
def api(module_store: Store) -> Iterator[LiveApi]:
    with live_api(module_store) as served:
        yield served


@pytest.fixture(autouse=True)
def _back_to_start(api: LiveApi) -> None:
    api.clock.at = START


def test_a_person_is_read_as_it_was_known_then(api: LiveApi) -> None:
    told = somebody()
    person = api.put("gp/then", told)["person_id"]
    golden = api.get(f"persons/{person}")["golden"]
    api.clock.at = START + timedelta(days=1)
    api.put("gp/then", told | {"address": "1 New Road", "event_at": LATER})
    api.put("poole-council/then", told)
    now = api.get(f"persons/{person}")["golden"]
    assert now["address"] != golden["address"]
    then = api.get(f"persons/{person}", as_of=THEN)
    assert (then["golden"], then["records"]) == (golden, ["gp:then"])
    assert api.get(f"persons/{person}", as_of="2026-03-05T00:00:00Z")["golden"] == now
    assert api.get(f"persons/{person}", as_of=BEFORE)["records"] == []
    records = api.get(f"persons/{person}/records", as_of=THEN)["records"]
    assert [each["local_id"] for each in records] == ["then"]


def test_a_verdict_counts_from_when_it_was_given(api: LiveApi) -> None:
    first, other = somebody(), somebody(event_at=LATER)
    person = api.put("gp/judged", first)["person_id"]
    api.put("gp/judged", other)
    api.clock.at = START + timedelta(days=1)
    api.post("verdicts", {"record": "gp:judged", "verdict": "correction", "reason": "-"})
    then, now = (api.get(f"persons/{person}", as_of=at) for at in (THEN, "2026-04-01T00:00:00Z"))
    names = [each["golden"]["family_name"]["value"] for each in (then, now)]
    assert names == [first["family_name"], other["family_name"]]


def test_a_merged_record_counts_where_it_belonged_then(api: LiveApi) -> None:
    left, right = somebody(), somebody(phone="01305 251150")
    person = api.put("gp/into", left)["person_id"]
    api.put("gp/gone", right)
    api.clock.at = START + timedelta(days=1)
    api.post("sources/gp/records/gone:merge", {"into": "into"})
    assert "phone" not in api.get(f"persons/{person}", as_of=THEN)["golden"]


def test_a_history_tells_what_happened_and_where_an_id_leads(api: LiveApi) -> None:
    left = api.put("gp/history-1", somebody())["person_id"]
    right = api.put("gp/history-2", somebody())["person_id"]
    api.clock.at = START + timedelta(hours=1)
    api.post(f"persons/{left}:merge", {"person_id": right, "reason": "-"})
    history = api.get(f"persons/{right}/history")
    assert (history["state"], history["leads_to"]) == ("retired", [left])
    types = [each["type"] for each in history["events"]]
    assert types[0] == "created"
    assert {"linked", "unlinked", "merged"} <= set(types)
    (link,) = history["links"]
    assert (link["record"], link["valid_to"]) == ("gp:history-2", "2026-03-03T10:00:00Z")
    page = api.get(f"persons/{right}/history", limit=1)
    rest = api.get(f"persons/{right}/history", after=page["next_after"])
    assert page["events"] + rest["events"] == history["events"]


def test_a_record_history_has_every_version(api: LiveApi) -> None:
    told = somebody()
    api.put("gp/E%2Fversions", told | {"event_at": LATER, "email": "x@example.org"})
    api.put("gp/E%2Fversions", told)
    api.sent("DELETE", "/v1/sources/gp/records/E%2Fversions", None)
    history = api.get("sources/gp/histories/E%2Fversions")
    assert [each["event_at"] for each in history["versions"]] == [told["event_at"], LATER, THEN]
    assert [each["is_deletion"] for each in history["versions"]] == [False, False, True]
    assert history["versions"][0]["received_at"] == THEN
    assert [each["record"] for each in history["links"]] == ["gp:E/versions"]


def test_a_split_is_shown_until_a_steward_has_looked(api: LiveApi) -> None:
    told, numbers = somebody(), ("9990000018", "9990000026")
    for source in ("gp", "poole-council"):
        api.put(f"{source}/parted", told)
    for source, number in zip(("gp", "poole-council"), numbers, strict=True):
        number_told = {"nhs_number": number, "nhs_number_status": "01", "event_at": LATER}
        last = api.put(f"{source}/parted", told | number_told)
    ids = [
        api.get(f"sources/{source}/records/parted")["person_id"]
        for source in ("gp", "poole-council")
    ]
    assert [api.get(f"persons/{i}")["recently_parted_from"] for i in ids] == [[ids[1]], [ids[0]]]
    for number in last["tasks_opened"]:
        api.post(f"tasks/{number}:note", {"revision": api.get(f"tasks/{number}")["revision"]})
    assert api.get(f"persons/{ids[0]}")["recently_parted_from"] == []


def test_the_feed_is_complete_and_in_order_while_many_write(api: LiveApi) -> None:
    def write(n: int) -> None:
        api.put(f"gp/feed-{n}", somebody())

    seen, after = [], 0
    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, n) for n in range(40)]
        while not all(each.done() for each in writing):
            page = api.get("changes", after=after, limit=7)
            seen += page["events"]
            after = page["next_after"]
        assert not [each.exception() for each in writing if each.exception()]
    while page := api.get("changes", after=after, limit=1_000):
        if not page["events"]:
            break
        seen += page["events"]
        after = page["next_after"]
    assert [each["sequence"] for each in seen] == list(range(1, len(seen) + 1))
    created = [e["person_id"] for e in seen if e["type"] == "created"]
    linked = {e["record"] for e in seen if e["type"] == "linked"}
    assert len(created) == len(set(created))
    assert {f"gp:feed-{n}" for n in range(40)} <= linked


def test_a_reader_may_wait_for_what_comes(api: LiveApi) -> None:
    after = 0
    while (page := api.get("changes", after=after, limit=1_000))["events"]:
        after = page["next_after"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.get, "changes", after=after, wait_s=20)
        api.put("gp/awaited", somebody())
        assert waiting.result()["events"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        pytest.param("persons/P3X03JE7FC58QV/history", 404, "person", id="unknown person"),
        pytest.param("persons/P3X03JE7FC58QV?as_of=2026-03-03T09:00:00Z", 404, "person", id="then"),
        pytest.param("persons/P3X03JE7FC58QV?as_of=CANARY", 422, "as_of", id="bad instant"),
        pytest.param("sources/gp/histories/never", 404, "record", id="unknown record"),
        pytest.param("changes?after=-1", 422, "after", id="before the first"),
        pytest.param("changes?wait_s=31", 422, "wait_s", id="long wait"),
    ],
)
def test_bad_questions_are_refused(api: LiveApi, path: str, status: int, words: str) -> None:
    refused, detail = api.refusal("GET", path)
    assert (refused, words in detail) == (status, True), detail

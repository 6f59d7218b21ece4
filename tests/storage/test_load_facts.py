"""A load honours what stewards and sources stated, and takes in what a folder states of numbers."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from mpi.batch.index.verify import verify_store
from mpi.batch.progress import SilentProgress
from mpi.clock import FixedClock, SystemClock
from mpi.config import read_source_systems
from mpi.errors import InvalidInput
from mpi.services.linkage_index import compile_linkage_index
from mpi.services.prepare import prepare_store
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release
from tests.conftest import DATABASES
from tests.live_index import LiveIndex, keys
from tests.small_load import (
    ADA,
    JOHN,
    RELEASE,
    Installation,
    content,
    persons_of,
    said,
    write_feed,
    write_mappings,
)

OLD, NEW = ADA["nhs_number"], "9990000042"


@pytest.fixture(params=DATABASES)
def small(request, new_database, tmp_path):
    return Installation(
        new_database(request.param), sources_folder=write_mappings(tmp_path / "mappings")
    )


@contextmanager
def live_index(installation):
    store = open_store(installation.settings.database_url)
    sources = read_source_systems(installation.settings.sources_folder)
    index = compile_linkage_index(read_release(RELEASE), sources)
    live = LiveIndex(store, index=index, clock=SystemClock())
    prepare_store(store, index, sources, clock=live.clock)
    try:
        yield live
    finally:
        live.close()
        store.close()


def state(folder, *rows):
    """The folder with a file of number statuses."""
    (folder / "reference").mkdir(exist_ok=True)
    text = "\n".join(("nhs_number,status,superseded_by", *rows, ""))
    (folder / "reference" / "nhs_number_status.csv").write_text(text, "utf-8")
    return folder


def numbers(installation):
    return {
        row["local_id"]: (row["nhs_number"], row["withheld_nhs_number"])
        for row in installation.rows("source_record")
    }


def assert_verified(installation):
    assert verify_store(installation.settings, progress=SilentProgress()).differences == ()


def test_decisions_hold_through_a_later_load_and_give_the_ids_back(small, tmp_path):
    small.load(write_feed(tmp_path / "clinic", "clinic", [said("1", "2020-01-01", ADA)]))
    small.load(write_feed(tmp_path / "ward", "ward", [said("1", "2020-01-01", JOHN)]))
    before = persons_of(small)
    with live_index(small) as live:
        wrong = {"wrong_numbers": keys("ward:1")}
        decided = live.decide("same", "clinic:1", "ward:1", **wrong)
    moved = said("1", "2021-01-01", ADA, address="9 Mill Lane", postcode="BH1 1AA")
    small.load(write_feed(tmp_path / "later", "clinic", [moved]))
    assert set(persons_of(small).values()) == {frozenset({"clinic/1", "ward/1"})}
    assert_verified(small)
    with live_index(small) as live:
        live.retract(decided.decision)
    assert persons_of(small) == before
    assert_verified(small)


def test_a_deleted_record_stays_deleted_until_its_source_tells_it_again(small, tmp_path):
    feeds = write_feed(tmp_path / "clinic", "clinic", [said("1", "2020-01-01", ADA)])
    small.load(feeds)
    with live_index(small) as live:
        live.delete("clinic:1")
    small.load(write_feed(tmp_path / "ward", "ward", [said("1", "2020-01-01", JOHN)]))
    assert set(persons_of(small).values()) == {frozenset({"ward/1"})}
    assert_verified(small)
    later = said("1", "2026-03-01", ADA)
    small.load(write_feed(tmp_path / "later", "clinic", [later]))
    assert frozenset({"clinic/1"}) in persons_of(small).values()


def test_a_folder_states_what_became_of_numbers(small, tmp_path):
    rows = [said("1", "2020-01-01", ADA), said("2", "2020-01-01", JOHN)]
    folder = state(
        write_feed(tmp_path / "feeds", "clinic", rows),
        f"{OLD},superseded,{NEW}",
        f"{JOHN['nhs_number']},disputed,",
    )
    small.load(folder)
    assert numbers(small) == {"1": (NEW, OLD), "2": (None, JOHN["nhs_number"])}
    assert {row["author"] for row in small.rows("nhs_number_status")} == {"feed"}
    before = small.dump()
    assert "Nothing has changed" in small.load(folder).summary()
    assert small.dump() == before
    assert_verified(small)


def test_a_folder_can_change_its_own_statement(small, tmp_path):
    folder = write_feed(tmp_path / "feeds", "clinic", [said("1", "2020-01-01", ADA)])
    small.load(state(folder, f"{OLD},disputed,"))
    small.load(state(folder, f"{OLD},superseded,{NEW}"))
    assert numbers(small) == {"1": (NEW, OLD)}
    in_force = small.rows("nhs_number_status", "retracted_at IS NULL")
    assert [row["status"] for row in in_force] == ["superseded"]


def test_bad_statements_are_set_aside(small, tmp_path):
    folder = state(
        write_feed(tmp_path / "feeds", "clinic", [said("1", "2020-01-01", ADA)]),
        "123,disputed,",
        f"{OLD},gone,",
        f"{OLD},superseded,",
        f"{OLD},superseded,{OLD}",
        f"{OLD},disputed",
        "",
    )
    report = small.load(folder)
    assert small.rows("nhs_number_status") == []
    assert report.quarantined == {"clinic": 0, "nhs_number_status": 5} or report.quarantined == {
        "nhs_number_status": 5
    }
    kept = (folder / "quarantine" / "nhs_number_status.csv").read_text("utf-8")
    assert "superseded_by: is not another NHS number" in kept
    (folder / "reference" / "nhs_number_status.csv").write_text("number\n", "utf-8")
    with pytest.raises(InvalidInput, match="the first line is not nhs_number,status"):
        small.load(folder)


def test_an_event_of_the_future_is_set_aside(small, tmp_path):
    rows = [
        said("1", "2026-03-03", ADA),
        said("1", "9999-01-01", JOHN),
        said("2", "2026-03-04", JOHN),
    ]
    clock = FixedClock(datetime(2026, 3, 3, 9, 0, tzinfo=UTC))
    folder = write_feed(tmp_path / "feeds", "clinic", rows)
    report = small.load(folder, clock=clock)
    assert report.quarantined == {"clinic": 1}
    assert "event_at: is later" in (folder / "quarantine" / "clinic.csv").read_text("utf-8")
    assert len(content(small)["records"]) == 2


def told(installation):
    """Type, whether a person is named, and record of every event."""
    return sorted(
        (row["type"], row["person_id"] is not None, row["record"])
        for row in installation.rows("outbox_event")
    )


def test_a_later_load_tells_what_registering_would_have_told(small, new_database, tmp_path):
    first = write_feed(tmp_path / "first", "clinic", [said("1", "2020-01-01", ADA)])
    rows = [said("1", "2020-02-01", ADA), said("2", "2020-02-01", JOHN)]
    small.load(first)
    assert told(small) == []
    small.load(write_feed(tmp_path / "second", "ward", rows))
    other = Installation(new_database("sqlite"), sources_folder=small.settings.sources_folder)
    other.load(first)
    with live_index(other) as live:
        for row in rows:
            texts = {name: row[name] for name in ADA if name in row}
            live.say(f"ward:{row['id']}", texts | {"nhs_number_status": "01"})
    assert told(small) == told(other)
    assert {row["reason"] for row in small.rows("outbox_event")} == {"load"}


def test_a_split_by_a_later_load_is_an_event_and_a_task(small, tmp_path):
    plain = {**ADA, "nhs_number": ""}
    both = write_feed(tmp_path / "clinic", "clinic", [said("1", "2020-01-01", plain)])
    write_feed(both, "ward", [said("1", "2020-01-01", plain)])
    small.load(both)
    assert len(persons_of(small)) == 1
    other = said("1", "2021-01-01", plain, nhs_number=JOHN["nhs_number"])
    small.load(write_feed(tmp_path / "one", "clinic", [other]))
    assert len(persons_of(small)) == 1
    other = said("1", "2021-01-01", plain, nhs_number=OLD)
    small.load(write_feed(tmp_path / "two", "ward", [other]))
    assert len(persons_of(small)) == 2
    types = {row["type"] for row in small.rows("outbox_event")}
    assert {"split", "created", "unlinked", "linked", "task_opened"} <= types
    tasks = {row["type"] for row in small.rows("task", "closed_at IS NULL")}
    assert "unexplained_split" in tasks
    assert_verified(small)

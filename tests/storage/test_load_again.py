"""Later loads: whatever order the feeds come in, the store says what one load of all would say."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from mpi.storage.releases import read_release, write_release
from mpi.synthetic.region import generate, write_region
from tests.conftest import DATABASES
from tests.small_load import (
    ADA,
    JOHN,
    Installation,
    content,
    persons_of,
    said,
    write_feed,
    write_mappings,
)

PEOPLE = 150
FIRST = ("ambulance", "bournemouth-council", "poole-council", "poole")


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """A folder of feeds, without the rows that cannot be read and the files that are no feeds."""
    folder = tmp_path_factory.mktemp("region")
    write_region(generate(people=PEOPLE, seed=43, profile="stress"), folder)
    return folder


@pytest.fixture(scope="module")
def whole(region, new_database):
    """What one load of everything leaves."""
    installation = Installation(new_database("sqlite"))
    installation.load(region)
    return content(installation)


@pytest.fixture(params=DATABASES)
def installation(request, new_database):
    return Installation(new_database(request.param))


@pytest.fixture
def small(new_database, tmp_path):
    """A store for the two invented sources."""
    return Installation(
        new_database("sqlite"), sources_folder=write_mappings(tmp_path / "mappings")
    )


def part(region, folder, names):
    folder.mkdir()
    for path in region.iterdir():
        if path.stem in names:
            shutil.copy(path, folder)
    return folder


def test_half_of_the_sources_and_then_all_make_the_same_store(
    region, whole, installation, tmp_path
):
    installation.load(part(region, tmp_path / "first", FIRST))
    before = persons_of(installation)
    installation.load(region)
    assert content(installation) == whole
    assert_ids_last(installation, before)
    assert_links_are_closed_properly(installation)


def assert_ids_last(installation, before):
    """Every id still leads to the person who holds most of the records it had."""
    after = persons_of(installation)
    person_of = {record: person for person, records in after.items() for record in records}
    stored = {row["id"]: row for row in installation.rows("person")}
    for person, records in before.items():
        holders = Counter(person_of[record] for record in records)
        leads_to = stored[person]["redirect"] or person
        assert holders[leads_to] == max(holders.values())
        assert stored[leads_to]["state"] == "live"


def assert_links_are_closed_properly(installation):
    links = installation.rows("link")
    closed = [link for link in links if link["valid_to"] is not None]
    assert closed
    opened = {link["record"]: link for link in links if link["valid_to"] is None}
    for link in closed:
        assert link["valid_from"] < link["valid_to"] == opened[link["record"]]["valid_from"]


def test_rows_of_one_feed_split_over_two_folders_make_the_same_store(
    region, whole, new_database, tmp_path
):
    installation = Installation(new_database("sqlite"))
    for turn in (1, 0):
        folder = tmp_path / str(turn)
        shutil.copytree(region, folder, ignore=shutil.ignore_patterns("quarantine", "reference"))
        for source in ("dorset-county", "poole-council", "bournemouth"):
            keep_every_other_line(next(folder.glob(f"{source}.*")), turn)
        installation.load(folder)
    assert content(installation) == whole


def keep_every_other_line(path, turn):
    """A header stays. No value of these feeds holds a line end."""
    lines = path.read_bytes().splitlines(keepends=True)
    header = lines[: path.suffix == ".csv"]
    path.write_bytes(b"".join(header + lines[len(header) + turn :: 2]))


def test_a_feed_of_new_people_leaves_all_others_alone(small, tmp_path):
    small.load(write_feed(tmp_path / "first", "clinic", [said("1", "2020-01-01", ADA)]))
    before = small.rows("person")
    report = small.load(write_feed(tmp_path / "second", "ward", [said("1", "2020-01-01", JOHN)]))
    assert (report.written.new_persons, report.written.closed_links) == (1, 0)
    assert before[0] in small.rows("person")


def test_a_move_told_late_is_evidence_and_does_not_become_live(small, tmp_path):
    old = said("1", "2015-01-01", ADA, address="9 Mill Lane", postcode="BH1 1AA")
    small.load(write_feed(tmp_path / "new", "clinic", [said("1", "2020-01-01", ADA)]))
    small.load(write_feed(tmp_path / "old", "clinic", [old]))
    ((state, _, _, compared),) = content(small)["records"].values()
    assert state == "live"
    assert compared["postcode"] == "DT11AA"
    assert compared["postcodes"] == ["DT11AA", "BH11AA"]


def test_a_snapshot_retires_what_is_gone_and_a_return_brings_it_back(small, tmp_path):
    both = [said("1", "2020-01-01", ADA), said("2", "2020-01-01", JOHN)]
    everything = write_feed(tmp_path / "both", "clinic", both)
    small.load(everything)
    before = persons_of(small)
    report = small.load(write_feed(tmp_path / "one", "clinic", both[:1]), is_snapshot=True)
    assert (report.written.records, report.written.persons, report.written.closed_links) == (
        1,
        1,
        1,
    )
    assert {row["local_id"]: row["state"] for row in small.rows("source_record")} == {
        "1": "live",
        "2": "retired",
    }
    assert sorted(row["state"] for row in small.rows("person")) == ["closed", "live"]
    small.load(everything)
    assert persons_of(small) == before
    assert {row["state"] for row in small.rows("person")} == {"live"}


def test_a_snapshot_retires_nothing_of_other_sources(small, tmp_path):
    small.load(write_feed(tmp_path / "ward", "ward", [said("1", "2020-01-01", JOHN)]))
    small.load(
        write_feed(tmp_path / "clinic", "clinic", [said("1", "2020-01-01", ADA)]), is_snapshot=True
    )
    assert {row["state"] for row in small.rows("source_record")} == {"live"}


def test_a_plain_load_retires_nothing_and_brings_back_nothing(small, tmp_path):
    both = [said("1", "2020-01-01", ADA), said("2", "2020-01-01", JOHN)]
    small.load(write_feed(tmp_path / "both", "clinic", both))
    small.load(write_feed(tmp_path / "one", "clinic", both[:1]), is_snapshot=True)
    later = said("1", "2021-01-01", ADA, phone="01305 251151")
    small.load(write_feed(tmp_path / "later", "clinic", [later]))
    assert {row["local_id"]: row["state"] for row in small.rows("source_record")} == {
        "1": "live",
        "2": "retired",
    }


def test_a_version_about_another_human_is_held_and_asked_about(small, tmp_path):
    small.load(write_feed(tmp_path / "first", "clinic", [said("1", "2020-01-01", ADA)]))
    before = content(small)
    small.load(write_feed(tmp_path / "second", "clinic", [said("1", "2021-01-01", JOHN)]))
    states = [row["state"] for row in small.rows("record_version")]
    assert sorted(states) == ["accepted", "held"]
    (task,) = small.rows("task", "closed_at IS NULL")
    assert task["type"] == "overlay"
    after = content(small)
    assert after["records"] == before["records"]
    assert after["persons"] == before["persons"]


def test_withdrawing_the_held_version_withdraws_the_question(small, tmp_path):
    other = said("1", "2021-01-01", JOHN)
    rows = [said("1", "2020-01-01", ADA), other]
    small.load(write_feed(tmp_path / "first", "clinic", rows))
    report = small.load(write_feed(tmp_path / "second", "clinic", [other | {"status": "E"}]))
    assert (report.written.withdrawn_tasks, report.written.open_tasks) == (1, 0)
    states = [row["state"] for row in small.rows("record_version")]
    assert sorted(states) == ["accepted", "entered_in_error"]


def test_a_version_entered_in_error_does_not_count(small, tmp_path):
    wrong = said("1", "2021-01-01", ADA, address="77 Wrong Road", postcode="BH1 1AA", status="E")
    rows = [said("1", "2020-01-01", ADA), wrong]
    small.load(write_feed(tmp_path / "feeds", "clinic", rows))
    ((_, _, _, compared),) = content(small)["records"].values()
    assert compared["postcodes"] == ["DT11AA"]
    ((_, golden),) = content(small)["persons"]
    assert "DT1 1AA" in golden
    assert "Wrong" not in golden


def test_withdrawing_the_live_version_restores_the_one_before(small, tmp_path):
    moved = said("1", "2021-01-01", ADA, address="9 Mill Lane", postcode="BH1 1AA")
    first = write_feed(tmp_path / "first", "clinic", [said("1", "2020-01-01", ADA)])
    small.load(first)
    before = content(small)
    small.load(write_feed(tmp_path / "second", "clinic", [moved]))
    small.load(write_feed(tmp_path / "third", "clinic", [moved | {"status": "E"}]))
    after = content(small)
    assert (after["records"], after["persons"]) == (before["records"], before["persons"])


def test_the_same_file_is_recorded_once_and_a_new_mapping_counts_as_new(small, tmp_path):
    feeds = write_feed(tmp_path / "feeds", "clinic", [said("1", "2020-01-01", ADA)])
    small.load(feeds)
    small.load(feeds, is_snapshot=True)
    assert len(small.rows("feed_load")) == 1
    mapping = tmp_path / "mappings" / "clinic.toml"
    mapping.write_text(mapping.read_text("utf-8") + "\n[trust]\ndefault = 90\n", "utf-8")
    small.load(feeds)
    assert len(small.rows("feed_load")) == 2


def test_a_feed_without_rows_is_loaded_as_it_is(small, tmp_path):
    report = small.load(write_feed(tmp_path / "feeds", "clinic", []))
    assert (report.written.records, report.written.persons, report.rows) == (0, 0, {})
    assert len(small.rows("feed_load")) == 1


def test_another_release_links_the_whole_store_anew(region, new_database, tmp_path):
    installation = Installation(new_database("sqlite"))
    folder = part(region, tmp_path / "feeds", ("gp", "dorset-county"))
    installation.load(folder)
    before = persons_of(installation)
    release = read_release(installation.settings.release_folder)
    spec = json.loads(json.dumps(release.spec)) | {"prior": 3e-6}
    write_release(tmp_path / "2", spec=spec, frequencies=release.frequencies, card="A card.")
    installation.settings = replace(installation.settings, release_folder=tmp_path / "2")
    installation.load(folder)
    assert persons_of(installation).keys() >= before.keys()
    assert {edge["model"] for edge in installation.rows("edge")} == {2}

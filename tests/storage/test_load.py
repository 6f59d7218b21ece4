"""What a load leaves in a store is what the plain functions say of the same records, one by one."""

from collections import defaultdict

import orjson
import pytest

from mpi.config import read_source_systems
from mpi.domain.golden import CurrentRecord, survivorship
from mpi.domain.identifiers import RecordKey
from mpi.domain.links import Edge, rounded_bits
from mpi.domain.records import content_digest, content_json, demographics_from_dict
from mpi.domain.tasks import question_digest
from mpi.linkage.partition import partition, partition_rules
from mpi.services.linkage_index import compile_linkage_index
from mpi.standardise.informative import is_informative
from mpi.storage.records import comparison_from_json
from mpi.storage.releases import read_release
from mpi.synthetic.region import generate, write_region
from tests.conftest import DATABASES
from tests.small_load import RELEASE, Installation, persons_of, record_keys

PEOPLE = 150
INDEX = compile_linkage_index(read_release(RELEASE))
SOURCES = read_source_systems()


@pytest.fixture(scope="module", params=DATABASES)
def installation(request, new_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored-feeds")
    manifest = write_region(generate(people=PEOPLE, seed=41, profile="stress"), folder)
    loaded = Installation(new_database(request.param))
    loaded.folder, loaded.manifest = folder, manifest["sources"]
    # In pieces, as a region is too long to be scored and settled in one.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mpi.batch.edges.PAIRS_AT_ONCE", 400)
        patched.setattr("mpi.batch.edges.QUICK_PAIRS_AT_ONCE", 700)
        patched.setattr("mpi.batch.edges.QUICK_LOOK_FROM_PAIRS", 0)
        patched.setattr("mpi.batch.index.golden.PERSONS_AT_ONCE", 30)
        loaded.report = loaded.load(folder)
    return loaded


@pytest.fixture(scope="module")
def compared(installation):
    records = installation.rows("source_record")
    return {row["number"]: comparison_from_json(row["comparison"]) for row in records}


@pytest.fixture(scope="module")
def edges(installation):
    rows = installation.rows("edge")
    return [Edge(e["left_record"], e["right_record"], e["match_weight_bits"]) for e in rows]


def test_every_live_record_belongs_to_exactly_one_live_person(installation):
    records = [row["number"] for row in installation.rows("source_record", "state = 'live'")]
    links = installation.rows("link", "valid_to IS NULL")
    assert sorted(link["record"] for link in links) == sorted(records)
    persons = {row["id"] for row in installation.rows("person", "state = 'live'")}
    assert {link["person_id"] for link in links} == persons


def test_a_golden_record_is_what_survivorship_makes_of_the_live_versions(installation):
    versions = {row["number"]: row for row in installation.rows("record_version")}
    records = {row["number"]: row for row in installation.rows("source_record")}
    current = defaultdict(list)
    for link in installation.rows("link", "valid_to IS NULL"):
        record = records[link["record"]]
        current[link["person_id"]].append(current_record(record, versions[record["live_version"]]))
    for person in installation.rows("person", "state = 'live'"):
        golden = survivorship(current[person["id"]], is_informative=is_informative)
        assert orjson.loads(person["golden"]) == golden.to_dict()
        assert person["golden_digest"] == content_digest(content_json(golden.to_dict()))


def current_record(record, version):
    return CurrentRecord(
        key=RecordKey(record["source"], record["local_id"]),
        demographics=demographics_from_dict(orjson.loads(version["content"])),
        event_at=version["event_at"],
        digest=version["digest"],
        trust=SOURCES[record["source"]].trust,
    )


def test_the_stored_keys_are_those_of_the_stored_records(installation, compared):
    expected = {(key, n) for n, record in compared.items() for key in INDEX.keys_of(record)}
    rows = installation.rows("blocking_key")
    assert {(row["key"], row["record"]) for row in rows} == expected
    assert len(rows) == len(expected)


def test_the_stored_edges_are_all_pairs_that_share_a_key_and_weigh_enough(compared, edges):
    holders = defaultdict(set)
    for number, record in compared.items():
        for key in INDEX.keys_of(record):
            holders[key].add(number)
    prepared = {number: INDEX.scorer.prepare(record) for number, record in compared.items()}
    pairs = {(n, o) for held in holders.values() for n in held for o in held if n < o}
    weights = {
        (n, o): rounded_bits(INDEX.scorer.weight(prepared[n], prepared[o])) for n, o in pairs
    }
    least = INDEX.model.thresholds.review_bits
    expected = {
        (left, right): weight
        for (left, right), weight in weights.items()
        if weight >= least or share_number(compared[left], compared[right])
    }
    assert {(edge.left, edge.right): edge.match_weight_bits for edge in edges} == expected


def share_number(left, right):
    number = left.trusted_nhs_number
    return number is not None and number == right.trusted_nhs_number


def test_persons_and_tasks_are_what_partition_says_of_everything_at_once(
    installation, compared, edges
):
    keys = record_keys(installation)
    source = {number: key.partition("/")[0] for number, key in keys.items()}.__getitem__
    expected = partition(compared, edges, (), partition_rules(INDEX.model), source=source)
    groups = {frozenset(keys[record] for record in group) for group in expected.groups}
    assert set(persons_of(installation).values()) == groups
    asked = {question_digest(question): question.type for question in expected.questions}
    tasks = installation.rows("task", "closed_at IS NULL AND type <> 'overlay'")
    assert {task["question_digest"]: task["type"] for task in tasks} == asked
    assert asked


def test_the_report_counts_what_is_in_the_store(installation):
    report, sources = installation.report, installation.manifest
    written = report.written
    assert written.records == sum(source["records"] for source in sources.values())
    assert report.rows == {name: source["rows"] for name, source in sources.items()}
    assert report.quarantined == {n: source["malformed_rows"] for n, source in sources.items()}
    assert written.new_versions == len(installation.rows("record_version"))
    assert written.persons == written.new_persons == len(persons_of(installation))
    assert written.opened_links == written.records == written.new_records
    assert written.open_tasks == written.opened_tasks == len(installation.rows("task"))


def test_links_homes_and_edges_say_what_made_them(installation):
    (model,) = installation.rows("model_release")
    assert (model["digest"], model["is_in_force"]) == (INDEX.model.digest, True)
    assert {row["model"] for table in ("edge", "link") for row in installation.rows(table)} == {1}
    owners = {row["record"]: row["person_id"] for row in installation.rows("link")}
    assert {row["record"]: row["home_id"] for row in installation.rows("home")} == owners


def test_loading_twice_changes_nothing(installation):
    before = installation.dump()
    report = installation.load(installation.folder)
    assert "Nothing has changed" in report.summary()
    assert (report.written.records, report.written.persons) == (
        installation.report.written.records,
        installation.report.written.persons,
    )
    assert installation.dump() == before


def test_linking_all_again_changes_nothing(installation):
    before = installation.dump()
    (installation.folder / "quarantine" / "gp.csv").unlink()  # So the feeds are read once more.
    report = installation.load(installation.folder)
    assert (installation.folder / "quarantine" / "gp.csv").is_file()
    assert not report.written.has_changes
    assert installation.dump() == before

"""Standardising by columns gives the comparison records that the live service's functions give.

A load runs each part function once for each distinct text and lets SQL put the parts together;
names that run into each other, histories and contradictions are where that could differ, so the
generated records are full of them.
"""

import json
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpi.batch.bulk_tables import comparison_records
from mpi.batch.engines import open_engine
from mpi.batch.extract import build_record_tables, empty_store_table, extract_feeds
from mpi.batch.feeds import list_feeds
from mpi.batch.golden import uninformative_texts
from mpi.batch.progress import SilentProgress
from mpi.batch.version_rows import VERSION_SCHEMA, version_from_row
from mpi.config import Settings, read_source_systems
from mpi.domain.demographics import Demographics, PreviousAddress, PreviousName
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import DELETION, content_digest, content_json, demographics_to_dict
from mpi.linkage.overlay import accept_versions
from mpi.linkage.vetoes import compile_name_rule
from mpi.standardise.informative import is_informative
from mpi.standardise.record import standardise
from mpi.synthetic.region import generate, write_region
from tests.parity.test_same_weights import DORSET

EXAMPLES = int(os.environ.get("MPI_EXAMPLES", "50"))
RULE = compile_name_rule(DORSET.given_names_agree)
TRUST = NumberTrust(
    statuses=frozenset({"01"}),
    sources=frozenset({"gp"}),
    disputed=frozenset({"9990000034"}),
    superseded={"9990000018": "9990000026", "9990000050": "9990000034"},
)
GIVEN = (
    "Ada", "ADA ", "Anne-Marie", "Anne Marie Jo", "Smith, John", "Baby", "Twin 2", "Not", "", " ",
    "Liz (Beth)", "Harpreet Kaur", "Mohan S/O Ram", "Łucja", "A", "Jon", "John", "É\"x\\", "1",
)  # fmt: skip
FAMILY = (
    "Okafor", "Smith-Jones", "de la Cruz", "Smith, Ada", "(nee Hill)", "KAUR", "known", "O'Neil",
    "Hall nee West", "", "Al Hassan", "Unknown",
)  # fmt: skip
MIDDLE = ("Known", "Kaur", "Zoe Ann", "ann zoe", "", "1", "X Y Z")
BORN = ("1989-03-02", "1989-02-03", "1950", "31/02/1970", "1900-01-01", "1971-01-01", "x", "")
HOMES = ("12 High Street", "Flat 3, 12 High St", "3 Mill Lane", "NFA", "", "9 Long Road, Wool")
CODES = ("DT1 1AA", "dt11aa", "ZZ99 3VZ", "BH15 2JF", "DT1", "", "00-950")
PHONES = ("01305 251150", "07700 900123 / 01305 251151", "none", "", "+44 1305 251150", "1;2")
NUMBERS = ("9990000018", "999 000 0026", "9990000034", "9990000050", "123", "")


def maybe(values):
    return st.one_of(st.none(), st.sampled_from(values), st.sampled_from(values), st.text())


def lists(part):
    return st.one_of(st.just(()), st.lists(part, max_size=3).map(tuple))


versions = st.builds(
    Demographics,
    nhs_number=maybe(NUMBERS),
    nhs_number_status=st.sampled_from((None, "01", "1", "03", "")),
    identifier=maybe(("AB 12-c", "none", "")),
    given_name=maybe(GIVEN),
    middle_name=maybe(MIDDLE),
    family_name=maybe(FAMILY),
    date_of_birth=maybe(BORN),
    sex=maybe(("M", "female", "0")),
    address=maybe(HOMES),
    town=maybe(("Poole",)),
    postcode=maybe(CODES),
    phone=maybe(PHONES),
    other_phones=lists(st.sampled_from(PHONES)),
    email=maybe(("a@example.org", "A+b@example.org; x", "none")),
    birth_order=maybe(("1", "2 of 2", "9")),
    previous_names=lists(
        st.builds(
            PreviousName,
            given_name=maybe(GIVEN),
            family_name=maybe(FAMILY),
            kind=st.sampled_from(("maiden", "preferred", "alias", None)),
            until=st.sampled_from(("2001", None)),
        )
    ),
    previous_addresses=lists(
        st.builds(PreviousAddress, address=maybe(HOMES), postcode=maybe(CODES))
    ),
)
steady = st.builds(
    Demographics, given_name=st.just("Ada"), date_of_birth=st.just("1989-03-02"),
    family_name=maybe(FAMILY), address=maybe(HOMES), postcode=maybe(CODES), phone=maybe(PHONES),
)  # fmt: skip


@st.composite
def told(draw, demographics):
    """A row of `VERSION_SCHEMA`, without its key."""
    is_deletion = draw(st.integers(0, 9)) == 0
    content = "{}" if is_deletion else content_json(demographics_to_dict(draw(demographics)))
    return {
        "event_at": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=draw(st.integers(0, 3))),
        "sequence": draw(st.integers(0, 1)),
        "digest": DELETION if is_deletion else content_digest(content),
        "content": content,
        "is_error": draw(st.integers(0, 7)) == 0,
        "verdict": draw(st.sampled_from((None, None, None, "correction", "another_human"))),
    }


@st.composite
def histories(draw):
    """The versions of one record: often one, or many that change nothing that a veto reads."""
    kind = draw(st.sampled_from((versions, versions, steady)))
    return draw(st.lists(told(kind), min_size=1, max_size=draw(st.sampled_from((1, 3, 20)))))


def by_columns(folder, rows):
    """Record key -> comparison record, as a load makes them; and the texts that say nothing."""
    pq.write_table(pa.Table.from_pylist(rows, schema=VERSION_SCHEMA), folder / "fed.parquet")
    with open_engine(Settings(workers_count=1)) as connection:
        empty_store_table(connection)
        build_record_tables(connection, parts=folder, trust=TRUST, name_rule=RULE)
        made = comparison_records(connection, "true")
        nothing = uninformative_texts(connection)
        keys = connection.execute("select record, source, local_id from record_number").fetchall()
    return {(source, local_id): made[n] for n, source, local_id in keys if n in made}, nothing


def one_by_one(rows):
    """The same by the functions of the live service."""
    kept = {}
    for row in rows:
        kept.setdefault((row["source"], row["local_id"]), []).append(version_from_row(**row))
    judged = {key: accept_versions(held, TRUST, RULE).record for key, held in kept.items()}
    nothing = {}
    for row in rows:
        for field, value in json.loads(row["content"]).items():
            if isinstance(value, str) and value and not is_informative(field, value):
                nothing.setdefault(field, set()).add(value)
    return {key: standardise(record, TRUST) for key, record in judged.items() if record}, nothing


def without_twins(history):
    """A source tells a version once; it cannot be both in error and not."""
    return list(
        {(row["event_at"], row["sequence"], row["digest"]): row for row in history}.values()
    )


@given(drawn=st.lists(st.tuples(st.sampled_from(("gp", "poole")), histories()), max_size=8))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_columns_and_single_records_are_standardised_alike(tmp_path, drawn):
    rows = [
        {"source": source, "local_id": str(number), **row}
        for number, (source, history) in enumerate(drawn)
        for row in without_twins(history)
    ]
    assert by_columns(tmp_path, rows) == one_by_one(rows)


@pytest.mark.parametrize("profile", ["normal", "stress"])
def test_a_region_is_standardised_alike(tmp_path, profile):
    write_region(generate(people=250, seed=31, profile=profile), tmp_path / "feeds")
    parts = tmp_path / "parts"
    parts.mkdir()
    feeds = list_feeds(tmp_path / "feeds", read_source_systems())
    extract_feeds(feeds, work_folder=parts, progress=SilentProgress(), workers=1)
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(parts.glob("*.parquet"))])
    made = by_columns(parts, [])
    assert made == one_by_one(rows.to_pylist())
    assert len(made[0]) > 1_000

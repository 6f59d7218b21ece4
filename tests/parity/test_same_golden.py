"""Golden records by columns are, byte for byte, those that `survivorship` makes one by one."""

import os
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.batch.bulk_tables import make_table
from mpi.batch.golden import CURRENT_SQL, golden_rows
from mpi.domain.demographics import (
    TEXT_FIELDS,
    Demographics,
    PreviousAddress,
    PreviousName,
    RelatedPerson,
)
from mpi.domain.golden import CurrentRecord, survivorship
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import content_digest, content_json, demographics_to_dict
from mpi.standardise.informative import is_informative

EXAMPLES = int(os.environ.get("MPI_EXAMPLES", "50"))
SOURCES = ("gp", "poole", "ward")
FIELDS = tuple(field for field in Demographics.__dataclass_fields__)
texts = st.one_of(
    st.none(),
    st.sampled_from(("Ada", "BABY", "", "1", "01", "ZZ99 3VZ", 'a"b\\c', "É\x1b/\x7f", "ada")),
    st.text(max_size=3),
)
parts = {
    "previous_names": st.builds(PreviousName, given_name=texts, family_name=texts, until=texts),
    "previous_addresses": st.builds(PreviousAddress, address=texts, postcode=texts),
    "related_people": st.builds(RelatedPerson, name=texts, phone=texts),
    "other_phones": st.sampled_from(("1", "2'", 'a"', "É\n")),
}
demographics = st.builds(
    Demographics,
    **{
        field: st.lists(parts[field], max_size=3).map(tuple) if field in parts else texts
        for field in FIELDS
    },
)
trusts = st.fixed_dictionaries(
    {source: st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 100)) for source in SOURCES}
)


@st.composite
def current_records(draw):
    """The records of a few persons; who has the same key is one record, so keys differ."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(SOURCES), st.sampled_from(("1", "2", 'x"', "É:\\"))),
            min_size=1,
            max_size=9,
            unique=True,
        )
    )
    return [
        (draw(st.integers(0, 2)), RecordKey(*key), draw(demographics), draw(st.integers(0, 2)))
        for key in keys
    ]


def event(days):
    return datetime(1969, 12, 31, tzinfo=UTC) + timedelta(days=days)


def by_columns(drawn, trust):
    """Person -> golden record and digest, by the tables of a bulk run."""
    contents = [content_json(demographics_to_dict(told)) for _, _, told, _ in drawn]
    numbers = list(range(len(drawn)))
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    make_table(connection, "live", pa.table({"record": numbers, "place": numbers}))
    make_table(
        connection,
        "version",
        pa.table(
            {
                "place": numbers,
                "event_at": pa.array(
                    [event(days) for *_, days in drawn], pa.timestamp("us", "UTC")
                ),
                "digest": list(map(content_digest, contents)),
                "content": contents,
            }
        ),
    )
    persons = [str(person) for person, *_ in drawn]
    make_table(connection, "assignment", pa.table({"record": numbers, "person_id": persons}))
    keys = {
        "record": numbers,
        "source": [key.source for _, key, *_ in drawn],
        "local_id": [key.local_id for _, key, *_ in drawn],
    }
    make_table(connection, "record_number", pa.table(keys))
    rows = golden_rows(
        connection.sql(CURRENT_SQL).to_arrow_table(), trust, uninformative(drawn)
    ).to_pylist()
    return {row["person_id"]: (row["golden"], row["golden_digest"]) for row in rows}


def uninformative(drawn):
    return {
        name: {
            text
            for _, _, told, _ in drawn
            if (text := getattr(told, name)) and not is_informative(name, text)
        }
        for name in TEXT_FIELDS
    }


def one_by_one(drawn, trust):
    persons = {}
    for person, key, told, days in drawn:
        digest = content_digest(content_json(demographics_to_dict(told)))
        record = CurrentRecord(key, told, event(days), digest, trust.get(key.source, {}))
        persons.setdefault(str(person), []).append(record)
    made = {
        person: content_json(survivorship(records, is_informative=is_informative).to_dict())
        for person, records in persons.items()
    }
    return {person: (golden, content_digest(golden)) for person, golden in made.items()}


@given(drawn=current_records(), trust=trusts)
@settings(max_examples=EXAMPLES, deadline=None)
def test_columns_and_single_persons_have_the_same_golden_records(drawn, trust):
    assert by_columns(drawn, trust) == one_by_one(drawn, trust)

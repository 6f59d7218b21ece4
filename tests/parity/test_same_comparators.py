"""Every comparator says the same in Python and in DuckDB, of the same values.

DuckDB and rapidfuzz agree on Jaro-Winkler for ASCII text except in the last bit, and a last bit is
enough to fall either side of 0.92. The bound is therefore stored a hair lower, in one place.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mpi.domain.records import ComparisonRecord
from mpi.linkage.comparators import alternatives_sql, compile_record_test
from mpi.linkage.model import parse_condition
from tests import strategies
from tests.parity.duckdb_records import add_records, connect

examples = settings(max_examples=strategies.EXAMPLES, deadline=None)
BORDERLINE = ("AEIRLCIODN", "AQEIRLYCIDON")
"""Jaro-Winkler is 0.92 in DuckDB and 0.9199999999999999 in rapidfuzz."""


@pytest.fixture(scope="module")
def database():
    return connect()


def in_sql(database, conditions, pairs):
    """The outcome of every condition for every pair of records."""
    add_records(database, [record for pair in pairs for record in pair])
    pair = "from records as l join records as r on r.record = l.record + 1 and l.record % 2 = 0"
    fields = ", ".join(
        f"{side}.{field} as {field}_{side}"
        for field in ComparisonRecord.__dataclass_fields__
        for side in "lr"
    )
    columns = ", ".join(f"({alternatives_sql((condition,))})" for condition in conditions)
    query = f"select {columns} from (select l.record as pair, {fields} {pair}) order by pair"
    return database.execute(query).fetchall()


@given(
    texts=st.lists(strategies.written_tests(), min_size=1, max_size=6),
    pairs=st.lists(strategies.near_pairs(), min_size=1, max_size=5),
)
@examples
def test_every_comparator_says_the_same_in_sql_and_python(database, texts, pairs):
    conditions = [parse_condition(text) for text in texts]
    holds = [compile_record_test((condition,)) for condition in conditions]
    expected = [tuple(test(*pair) for test in holds) for pair in pairs]
    assert in_sql(database, conditions, pairs) == expected
    assert [tuple(test(*pair[::-1]) for test in holds) for pair in pairs] == expected


@given(pair=strategies.near_names())
@example(pair=BORDERLINE)
@example(pair=BORDERLINE[::-1])
@examples
def test_similar_names_fall_on_one_level_in_sql_and_python(database, pair):
    records = tuple(ComparisonRecord(given_names=(name,), family_name=name) for name in pair)
    bounds = (0.8, 0.85, 0.88, 0.92)
    conditions = [parse_condition(f"similarity(given_names) >= {bound}") for bound in bounds]
    conditions += [parse_condition(f"edits(family_name) <= {most}") for most in range(4)]
    expected = tuple(compile_record_test((condition,))(*records) for condition in conditions)
    assert in_sql(database, conditions, [records]) == [expected]


def test_a_similarity_that_a_last_bit_lowers_still_reaches_its_bound(database):
    records = tuple(ComparisonRecord(given_names=(name,)) for name in BORDERLINE)
    condition = parse_condition("similarity(given_names) >= 0.92")
    assert compile_record_test((condition,))(*records)
    assert in_sql(database, [condition], [records]) == [(True,)]

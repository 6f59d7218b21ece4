"""Bulk work groups a whole region as `partition` would if it were given everything at once.

Bulk work judges only the components in which something speaks against one person; that what it
skips is plain, in SQL as in Python, is what these tests hold.
"""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.batch.groups import _CONFLICTING_SQL, connected_components, group_records
from mpi.batch.progress import SilentProgress
from mpi.domain.links import Decision, DecisionKind, Edge
from mpi.domain.records import ComparisonRecord
from mpi.linkage.partition import PartitionRules, is_clean, partition
from tests import strategies
from tests.parity.duckdb_records import add_records, connect
from tests.small_region import spec_index

RULES = PartitionRules(
    link_bits=9.0, ambiguity_bits=3.0, component_records_max=6, name_rule=spec_index().name_rule
)
examples = settings(max_examples=strategies.EXAMPLES, deadline=None)
NUMBERS = ("9990000018", "9990000026", None, None)
NAMES = ("ADA", "AMARA", "A", None)
BIRTH_DATES = ("1989-03-02", "1989-02-03", "1950-07-14", None)


@st.composite
def known_records(draw):
    """Records of a few households, as like and as contradictory as vetoes can tell apart."""
    name, born = draw(st.sampled_from(NAMES)), draw(st.sampled_from(BIRTH_DATES))
    year, month, day = born.split("-") if born else (None, None, None)
    return ComparisonRecord(
        trusted_nhs_number=draw(st.sampled_from(NUMBERS)),
        given_name=name,
        given_forms=(name,) if name else (),
        family_names=("OKAFOR",),
        birth_date=born,
        birth_year=year,
        birth_month=month,
        birth_day=day,
        birth_order=draw(st.sampled_from(("1", "2", None, None))),
        addresses=draw(st.sampled_from((("12 HIGH STREET",), ()))),
    )


@st.composite
def graphs(draw):
    """Records, edges in the link and in the review band, and now and then a decision."""
    records = draw(st.lists(known_records(), min_size=1, max_size=9))
    numbers = st.integers(0, len(records) - 1)
    pairs = draw(st.sets(st.tuples(numbers, numbers).filter(lambda p: p[0] < p[1]), max_size=12))
    weights = st.sampled_from((4.0, 8.999999, 9.0, 10.5, 12.0, 20.0))
    edges = [Edge(left, right, draw(weights)) for left, right in sorted(pairs)]
    sides = st.frozensets(st.integers(0, len(records) + 1), min_size=1, max_size=2)
    decisions = [
        Decision(number=n, kind=kind, left=left, right=right)
        for n, (kind, left, right) in enumerate(
            draw(st.lists(st.tuples(st.sampled_from(DecisionKind), sides, sides), max_size=2))
        )
        if not left & right
    ]
    return records, edges, decisions


@pytest.fixture(scope="module")
def database():
    with connect() as connection:
        yield connection


def source_of(record):
    return str(record % 2)


def add_edges(connection, edges):
    rows = pa.table(
        {
            "left_record": pa.array([edge.left for edge in edges], pa.int64()),
            "right_record": pa.array([edge.right for edge in edges], pa.int64()),
            "match_weight_bits": pa.array([edge.match_weight_bits for edge in edges], pa.float64()),
        }
    )
    connection.register("drawn", rows)
    connection.execute("create or replace table edge as select * from drawn")
    connection.unregister("drawn")


def by_content(questions):
    return sorted(map(repr, questions))


@given(graph=graphs())
@examples
def test_groups_and_questions_are_those_of_everything_at_once(database, graph):
    records, edges, decisions = graph
    add_records(database, records)
    add_edges(database, edges)
    database.execute(
        """create or replace table record_source as
        select record, (record % 2)::text as source from records"""
    )
    grouping = group_records(
        database,
        rules=RULES,
        decisions=decisions,
        sources="record_source",
        progress=SilentProgress(),
    )
    expected = partition(dict(enumerate(records)), edges, decisions, RULES, source=source_of)
    names = dict(zip(grouping.records.tolist(), grouping.groups.tolist(), strict=True))
    assert names == {record: min(group) for group in expected.groups for record in group}
    assert by_content(grouping.questions) == by_content(expected.questions)


@given(records=st.lists(st.one_of(known_records(), strategies.records()), min_size=1, max_size=9))
@examples
def test_a_component_conflicts_in_sql_exactly_if_it_is_not_clean(database, records):
    add_records(database, records)
    database.execute(
        "create or replace table component as select record, 7 as component from records"
    )
    found = database.execute(_CONFLICTING_SQL, [RULES.component_records_max]).fetchall()
    assert bool(found) is not is_clean(records, RULES)


@given(
    count=st.integers(1, 40),
    ends=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=60),
)
@examples
def test_components_are_named_by_their_smallest_node(count, ends):
    ends = [(left % count, right % count) for left, right in ends]
    names = list(range(count))
    for _ in range(count):
        for left, right in ends:
            names[left] = names[right] = min(names[left], names[right])
    left, right = (np.array([end[side] for end in ends], dtype=np.int64) for side in (0, 1))
    assert connected_components(count, left, right).tolist() == names


def test_a_long_chain_is_one_component():
    nodes = np.random.default_rng(3).permutation(20_000)
    assert not connected_components(20_000, nodes[:-1], nodes[1:]).any()


def test_a_store_without_records_has_no_groups():
    with duckdb.connect() as connection:
        add_records(connection, [])
        add_edges(connection, [])
        grouping = group_records(connection, rules=RULES, progress=SilentProgress())
    assert (len(grouping.records), len(grouping.groups), grouping.questions) == (0, 0, [])

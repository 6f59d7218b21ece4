"""A record has the same blocking keys in Python and in DuckDB: candidates depend on no path."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.batch.edges import make_keys
from mpi.domain.records import ComparisonRecord
from mpi.limits import BLOCKING_KEYS_MAX
from mpi.linkage.blocking import (
    NO_STOP_LIST,
    blocking_keys,
    blocking_sql,
    crowded_keys_sql,
    pairs_sql,
    values_max,
)
from mpi.linkage.model import BlockingRule
from tests import strategies
from tests.parity.duckdb_records import add_records, connect

examples = settings(max_examples=strategies.EXAMPLES, deadline=None)
NAMES_YEAR = BlockingRule(
    name="names_year", fields=("family_sounds", "given_roots", "birth_year"), tighten=("postcodes",)
)


@pytest.fixture(scope="module")
def database():
    return connect()


def keys_in_sql(database, records, rules, stop_list):
    """The keys of each record, and none of them twice."""
    add_records(database, records)
    database.execute("create or replace table stopped (key bigint)")
    for key in stop_list:
        database.execute("insert into stopped values (?)", [key])
    keys = [frozenset() for _ in records]
    for rule in rules:
        query = blocking_sql(rule, stop_list="stopped" if stop_list else None)
        rows = database.execute(query).fetchall()
        assert len(rows) == len(set(rows))
        for record, name, key in rows:
            assert name == rule.name
            keys[record] |= {key}
    return keys


@given(
    records=st.lists(strategies.records(), min_size=1, max_size=6),
    model=strategies.models(),
    data=st.data(),
)
@examples
def test_keys_are_the_same_in_sql_and_python(database, records, model, data):
    rules = model.blocking
    base = frozenset().union(*(blocking_keys(record, rules) for record in records))
    stopped = frozenset(key for key in base if data.draw(st.booleans(), label="stop"))
    tighter = frozenset().union(*(blocking_keys(record, rules, stopped) for record in records))
    stopped |= frozenset(key for key in tighter if key % 3 == 0)
    for stop_list in (frozenset(), stopped):
        expected = [blocking_keys(record, rules, stop_list) for record in records]
        assert keys_in_sql(database, records, rules, stop_list) == expected


def test_long_histories_are_cut_alike_in_sql_and_python(database):
    many = tuple(f"NAME{number}" for number in range(20))
    record = ComparisonRecord(
        family_sounds=many, given_roots=many, birth_year="1980", postcodes=many, phones=many
    )
    wide = BlockingRule(name="wide", fields=("family_sounds", "given_roots", "phones"))
    rules = (NAMES_YEAR, wide)
    expected = blocking_keys(record, rules)
    assert len(expected) == BLOCKING_KEYS_MAX + 6**3
    assert keys_in_sql(database, [record], rules, frozenset()) == [expected]
    assert values_max(wide.fields) == 6


def test_pairs_are_found_once_and_the_smaller_record_is_left(database):
    rows = "(7, 1), (3, 1), (7, 2), (3, 2), (5, 2), (9, 4)"
    database.execute(f"create or replace table keys as from (values {rows}) t(record, key)")
    pairs = database.execute(pairs_sql(keys="keys")).fetchall()
    assert sorted(pair[:2] for pair in pairs) == [(3, 5), (3, 7), (5, 7)]
    assert database.execute(crowded_keys_sql(keys="keys", records_max=2)).fetchall() == [(2, 3)]


def test_keys_that_meet_by_chance_are_held_once(database):
    """Keys of one birth date differ in 31 bits: in one region of 140 some record has one twice."""
    rules = tuple(
        BlockingRule(name=name, fields=("birth_date", field), adjacent_by=("birth_date",))
        for name, field in (("birth_family", "family_sounds"), ("birth_given", "given_sounds"))
    )
    record = ComparisonRecord(
        birth_date="1989-03-02", family_sounds=("FTUR",), given_sounds=("AAHK",)
    )
    add_records(database, [record])
    make_keys(database, rules, NO_STOP_LIST)
    rows = database.execute("select key from blocking_keys").fetchall()
    assert rows == [(key,) for key in blocking_keys(record, rules)]
    assert len(rows) == 1

"""On a synthetic region, from raw feeds on: the same keys, the same pairs, the same weights.

Generated records go where nobody's imagination goes; these go where real data goes: names of many
origins, households, partial dates, histories, and what standardising makes of them.
"""

from collections import defaultdict
from itertools import chain

import pytest

from mpi.batch.feeds.reader import list_feeds, parse_chunk, read_chunks
from mpi.batch.feeds.version_rows import version_from_row
from mpi.config import read_source_systems
from mpi.domain.records import COMPARISON_FIELDS, fold_versions
from mpi.linkage.blocking import blocking_sql, compile_blocking, pairs_sql
from mpi.linkage.scorer import compile_scorer
from mpi.standardise.record import standardise
from mpi.synthetic.region import generate, write_region
from tests.parity.duckdb_records import add_records, connect, splink_weights
from tests.parity.test_same_weights import BITS, DORSET

PEOPLE = 300
SEED = 20
LISTED = ("given_name", "family_name", "birth_date", "postcode")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Every record that the sources hold of the region's people, standardised."""
    folder = tmp_path_factory.mktemp("region")
    write_region(generate(people=PEOPLE, seed=SEED, profile="stress"), folder)
    versions = defaultdict(list)
    for source, path in list_feeds(folder, read_source_systems()):
        for chunk in read_chunks(path, source):
            for row in parse_chunk(chunk, source).versions.to_pylist():
                version = version_from_row(**row)
                versions[version.key].append(version)
    folded = (fold_versions(kept) for _, kept in sorted(versions.items()))
    return [standardise(record, DORSET.number_trust) for record in folded]


@pytest.fixture(scope="module")
def frequencies(records):
    """Shares of the values that occur more than once, counted the plain way."""
    counted = {field: defaultdict(int) for field in LISTED}
    for record in records:
        for field in LISTED:
            counted[field][getattr(record, field)] += 1
    return {
        field: {value: n / len(records) for value, n in counts.items() if value and n > 1}
        for field, counts in counted.items()
    }


@pytest.fixture(scope="module")
def database(records):
    """The records with their blocking keys and pairs."""
    connection = connect()
    add_records(connection, records)
    rules = " union all ".join(f"({blocking_sql(rule)})" for rule in DORSET.blocking)
    connection.execute(f"create table keys as {rules}")
    connection.execute(f"create table found as {pairs_sql(keys='keys')}")
    return connection


def test_every_record_has_the_same_keys_in_sql_and_python(records, database):
    keys_of = compile_blocking(DORSET.blocking)
    expected = {(at, key) for at, record in enumerate(records) for key in keys_of(record)}
    assert set(database.execute("select record, key from keys").fetchall()) == expected


def test_every_pair_weighs_the_same_in_splink_and_python(records, database, frequencies):
    pairs = database.execute("select join_key_l, join_key_r from found").fetchall()
    scorer = compile_scorer(DORSET, frequencies)
    prepared = [scorer.prepare(record) for record in records]
    weights = splink_weights(records, pairs, model=DORSET, frequencies=frequencies)
    assert len(weights) == len(pairs) > len(records)
    for left, right in pairs:
        expected = scorer.weight(prepared[left], prepared[right])
        assert abs(weights[left, right] - expected) <= BITS
        assert scorer.weight(prepared[right], prepared[left]) == expected


def test_standardised_values_are_ascii_because_sql_compares_bytes(records):
    for record in records:
        values = (getattr(record, field) for field in COMPARISON_FIELDS)
        texts = [(value,) if isinstance(value, str) else value or () for value in values]
        assert all(text and text.isascii() for text in chain.from_iterable(texts))

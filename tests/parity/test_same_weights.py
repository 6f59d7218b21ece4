"""Splink on DuckDB and the Python scorer give every pair the same weight, whatever the model.

The live service and the batch run must agree on every pair, or re-linking the region would move
people who did not change. So Hypothesis draws the models too, not only the records.
"""

import tomllib
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpi.domain.records import ComparisonRecord
from mpi.linkage.frequencies import Frequencies
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.scorer import compile_scorer
from tests import strategies
from tests.parity.duckdb_records import splink_weights

BITS = 1e-9
SPEC = Path(__file__).parents[2] / "linkage_models" / "dorset" / "spec.toml"
DORSET = model_from_spec(tomllib.loads(SPEC.read_text()), version="0", digest="0" * 64)
slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
examples = settings(
    max_examples=max(strategies.EXAMPLES // 4, 5), deadline=None, suppress_health_check=slow
)
near_pairs = st.lists(strategies.near_pairs(), min_size=1, max_size=4)


def assert_same_weights(
    records: Sequence[ComparisonRecord], model: Model, frequencies: Frequencies
) -> None:
    """Of all pairs of these records, each the way round that Splink got it."""
    pairs = [pair if sum(pair) % 3 else pair[::-1] for pair in combinations(range(len(records)), 2)]
    scorer = compile_scorer(model, frequencies)
    prepared = [scorer.prepare(record) for record in records]
    weights = splink_weights(records, pairs, model=model, frequencies=frequencies)
    assert len(weights) == len(pairs)
    for left, right in pairs:
        weight = scorer.weight(prepared[left], prepared[right])
        assert abs(weight - weights[left, right]) <= BITS
        assert weight == scorer.weight(prepared[right], prepared[left])


@given(model=strategies.models(), frequencies=strategies.frequencies(), pairs=near_pairs)
@examples
def test_every_generated_model_gives_the_same_weights_in_both_paths(model, frequencies, pairs):
    assert_same_weights([record for pair in pairs for record in pair], model, frequencies)


@given(frequencies=strategies.frequencies(), pairs=near_pairs)
@examples
def test_the_dorset_model_gives_the_same_weights_in_both_paths(frequencies, pairs):
    assert_same_weights([record for pair in pairs for record in pair], DORSET, frequencies)


def test_missing_values_of_every_field_give_the_same_weights_in_both_paths():
    full = ComparisonRecord(given_name="ANN", full_name="ANN|LEE", family_name="LEE")
    partial = [ComparisonRecord(), ComparisonRecord(full_name="ANN|LEE"), full]
    shares = {"full_name": {}, "given_name": {"ANN": 0.01}, "family_name": {"LEE": 0.02}}
    records = [left for left, _ in product(partial, range(2))]
    assert_same_weights(records, DORSET, shares)

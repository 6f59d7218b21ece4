"""The scorer follows the model's levels in order, and its explanation adds up exactly."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings

from mpi.domain.records import ComparisonRecord
from mpi.errors import InvalidModel
from mpi.linkage import scorer as scorer_module
from mpi.linkage.comparators import compile_record_test
from mpi.linkage.explain import explain
from mpi.linkage.model import model_from_spec
from mpi.linkage.scorer import MISSING, compile_scorer
from tests import strategies

SPEC = Path(__file__).parents[2] / "linkage_models" / "dorset" / "spec.toml"
DORSET = model_from_spec(tomllib.loads(SPEC.read_text()), version="0", digest="0" * 64)
FREQUENCIES = {"family_name": {"LEE": 0.002, "OKAFOR": 0.00001}, "given_name": {"ANN": 0.01}}
examples = settings(max_examples=max(strategies.EXAMPLES // 2, 5), deadline=None)


def named(given_name, family_name):
    return ComparisonRecord(
        given_name=given_name,
        given_names=(given_name,),
        family_name=family_name,
        family_names=(family_name,),
        full_name=f"{given_name}|{family_name}",
    )


def plain_level(comparison, left, right):
    """The first level whose condition holds, found the slow and obvious way."""
    if compile_record_test(comparison.missing)(left, right):
        return MISSING
    for index, level in enumerate(comparison.levels[:-1]):
        if compile_record_test(level.when)(left, right):
            return index
    return len(comparison.levels) - 1


@given(model=strategies.models(), pair=strategies.near_pairs())
@examples
def test_the_diagram_finds_the_level_that_the_conditions_name(model, pair):
    scorer = compile_scorer(model, {})
    levels = scorer.levels(*map(scorer.prepare, pair))
    expected = [plain_level(comparison, *pair) for comparison in model.comparisons]
    assert [level.level for level in levels] == expected


@given(frequencies=strategies.frequencies(), pair=strategies.near_pairs())
@examples
def test_an_explanation_adds_up_to_the_weight_exactly(frequencies, pair):
    scorer = compile_scorer(DORSET, frequencies)
    explanation = explain(scorer, *pair)
    total = explanation.prior_bits
    for step in explanation.steps:
        total += step.weight_bits
        total += step.adjustment_bits
        assert total == step.running_bits
    assert total == explanation.match_weight_bits == scorer.weight(*map(scorer.prepare, pair))
    assert explanation == explain(scorer, *pair[::-1])


def test_records_that_hold_nothing_weigh_the_prior():
    scorer = compile_scorer(DORSET, {})
    nothing = scorer.prepare(ComparisonRecord())
    assert scorer.weight(nothing, nothing) == DORSET.prior_bits


def test_a_rare_name_in_common_weighs_more_than_a_common_one():
    scorer = compile_scorer(DORSET, FREQUENCIES)
    rare, common = (scorer.prepare(named("ANN", name)) for name in ("OKAFOR", "LEE"))
    assert scorer.weight(rare, rare) > scorer.weight(common, common)


def test_an_explanation_says_how_many_share_the_value():
    scorer = compile_scorer(DORSET, FREQUENCIES)
    step = explain(scorer, named("ANN", "LEE"), named("ANN", "LEE")).steps[0]
    assert (step.comparison, step.level) == ("name", "same")
    assert step.frequency_words == "full name shared by about 20 in a million"
    assert step.adjustment_bits < 0


def test_an_explanation_names_what_is_missing_and_what_is_very_rare():
    scorer = compile_scorer(DORSET, {})
    name, birth_date = explain(scorer, named("ANN", "LEE"), named("ANN", "LEE")).steps[:2]
    assert name.frequency_words == "full name shared by fewer than 1 in a million"
    assert (birth_date.level, birth_date.weight_bits) == ("missing", 0.0)
    assert birth_date.frequency_words == ""


def test_a_comparison_with_too_many_conditions_is_refused(monkeypatch):
    monkeypatch.setattr(scorer_module, "NODES_MAX", 3)
    with pytest.raises(InvalidModel, match="comparison name has too many conditions"):
        compile_scorer(DORSET, {})

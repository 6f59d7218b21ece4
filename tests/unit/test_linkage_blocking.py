"""Which keys a record has, and what becomes of values that too many share."""

from dataclasses import replace
from hashlib import md5

import pytest
from hypothesis import given, settings

from mpi.domain.records import ComparisonRecord
from mpi.errors import InvalidModel
from mpi.linkage.blocking import blocking_keys
from mpi.linkage.model import BlockingRule, model_from_spec
from tests import strategies

BIRTH_FAMILY = BlockingRule(
    name="birth_family", fields=("birth_date", "family_sounds"), tighten=("given_initials",)
)
EMAIL = BlockingRule(name="email", fields=("emails",))
RECORD = ComparisonRecord(
    birth_date="1980-02-03",
    family_sounds=("L", "OKFR"),
    given_initials=("A", "B"),
    emails=("A@B.ORG",),
)


def key_of(*parts):
    return int.from_bytes(md5("\x1f".join(parts).encode()).digest(), "little") >> 65


def test_a_record_has_a_key_for_every_combination_of_its_values():
    assert blocking_keys(RECORD, (BIRTH_FAMILY, EMAIL)) == {
        key_of("birth_family", "1980-02-03", "L"),
        key_of("birth_family", "1980-02-03", "OKFR"),
        key_of("email", "A@B.ORG"),
    }


def test_a_stop_listed_key_gives_way_to_tighter_ones():
    stopped = key_of("birth_family", "1980-02-03", "L")
    tighter = key_of("birth_family", "1980-02-03", "L", "A")
    assert blocking_keys(RECORD, (BIRTH_FAMILY,), {stopped, tighter}) == {
        key_of("birth_family", "1980-02-03", "OKFR"),
        key_of("birth_family", "1980-02-03", "L", "B"),
    }


def test_a_stop_listed_key_without_a_tighter_one_is_dropped():
    assert blocking_keys(RECORD, (EMAIL,), {key_of("email", "A@B.ORG")}) == frozenset()


def upper(key):
    return key >> 31


def test_keys_that_share_a_value_are_adjacent_whatever_their_rules():
    by_family = replace(BIRTH_FAMILY, adjacent_by=("birth_date",))
    by_initial = replace(
        by_family, name="birth_initial", fields=("birth_date", "given_initials"), tighten=()
    )
    keys = blocking_keys(RECORD, (by_family, by_initial))
    assert len(keys) == 4
    assert {upper(key) for key in keys} == {upper(key_of("birth_date", "1980-02-03"))}
    elsewhere = blocking_keys(replace(RECORD, birth_date="1980-02-04"), (by_family,))
    assert {upper(key) for key in elsewhere}.isdisjoint({upper(key) for key in keys})


def test_a_tighter_key_stays_beside_the_ones_it_replaces():
    rule = replace(BIRTH_FAMILY, adjacent_by=("birth_date",))
    wide = blocking_keys(RECORD, (rule,))
    tighter = blocking_keys(RECORD, (rule,), wide)
    assert len(tighter) == 4
    assert tighter.isdisjoint(wide)
    assert {upper(key) for key in tighter} == {upper(key) for key in wide}


@given(record=strategies.records(), other=strategies.records(), model=strategies.models())
@settings(max_examples=max(strategies.EXAMPLES // 2, 5), deadline=None)
def test_where_keys_lie_changes_no_pair(record, other, model):
    scattered = [replace(rule, adjacent_by=()) for rule in model.blocking]
    for rule, plain in zip(model.blocking, scattered, strict=True):
        counts = [len(blocking_keys(each, (rule,))) for each in (record, other)]
        assert counts == [len(blocking_keys(each, (plain,))) for each in (record, other)]
        shared = blocking_keys(record, (rule,)) & blocking_keys(other, (rule,))
        assert len(shared) == len(blocking_keys(record, (plain,)) & blocking_keys(other, (plain,)))


@given(spec=strategies.model_specs())
@settings(max_examples=5, deadline=None)
def test_a_rule_is_adjacent_by_its_first_fields_only(spec):
    rule = {"name": "odd", "fields": ["sex", "email"], "adjacent_by": ["email"]}
    spec["blocking"]["rules"] = [rule]
    with pytest.raises(InvalidModel, match="rule odd must begin with its adjacent_by"):
        model_from_spec(spec, version="0", digest="0" * 64)


def test_a_rule_with_a_missing_field_gives_no_key():
    assert blocking_keys(ComparisonRecord(birth_date="1980-02-03"), (BIRTH_FAMILY,)) == frozenset()


@given(record=strategies.records(), model=strategies.models())
@settings(max_examples=max(strategies.EXAMPLES // 2, 5), deadline=None)
def test_every_key_fits_a_signed_64_bit_column(record, model):
    assert all(0 <= key < 2**63 for key in blocking_keys(record, model.blocking))

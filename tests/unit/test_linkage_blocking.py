"""Which keys a record has, and what becomes of values that too many share."""

from hashlib import md5

from hypothesis import given, settings

from mpi.domain.records import ComparisonRecord
from mpi.linkage.blocking import blocking_keys
from mpi.linkage.model import BlockingRule
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


def test_a_rule_with_a_missing_field_gives_no_key():
    assert blocking_keys(ComparisonRecord(birth_date="1980-02-03"), (BIRTH_FAMILY,)) == frozenset()


@given(record=strategies.records(), model=strategies.models())
@settings(max_examples=max(strategies.EXAMPLES // 2, 5), deadline=None)
def test_every_key_fits_a_signed_64_bit_column(record, model):
    assert all(0 <= key < 2**63 for key in blocking_keys(record, model.blocking))

"""Reasons why two groups of records must not become one person, however heavy the evidence.

A wrong link can hurt someone; a missed one mostly annoys them, and a steward can still make it.
So a veto needs no proof that the groups differ: a serious doubt is enough, and it becomes a task.

A veto reads what is known of the two groups and never a pair's score. Judged by pairs of records,
one odd record would either bridge two people or split one; so groups *clearly conflict* in an
aspect when more than half of the informed cross pairs of their records do, and *agree* when some
informed cross pair does not. Records are bits of whole numbers: counting the cross pairs of two
groups takes one step for each record of the smaller one, which large components depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, TypeVar

from mpi.domain.links import VetoReason
from mpi.domain.records import ComparisonRecord
from mpi.linkage.comparators import compile_record_test
from mpi.linkage.model import Alternatives

CONFLICTING_COMPONENTS_MIN: Final = 2
"""Components of two birth dates that must differ: 93 % of wrong birth dates differ in one only.

Source: Cardinal et al. 2023, DOI 10.1186/s12911-023-02176-6."""
SOUND_MARK: Final = "~"
"""Marks the keys among `given_forms` that are sounds, not names."""

GivenNamesAgree = Callable[[ComparisonRecord, ComparisonRecord], bool]
BirthValue = tuple[str | None, str | None, str | None, str | None]
"""Text, year, month and day of a birth date; all None if it is not known."""
_Item = TypeVar("_Item")
_NAME_FIELDS: Final = ("given_name", "given_forms", "middle_names")
"""What is read of a given name whatever the rule: the name, and what an initial may stand for."""


@dataclass(frozen=True, slots=True)
class NameRule:
    """When two given names may be one human's."""

    agree: GivenNamesAgree
    """Symmetric; whatever it says, equal given names agree."""
    fields: tuple[str, ...] = _NAME_FIELDS
    """What `agree` reads: records equal in these are one value."""


def compile_name_rule(given_names_agree: Alternatives) -> NameRule:
    """The rule that a model's `given_names_agree` states. Raises InvalidModel."""
    tests = [test for condition in given_names_agree for test in condition]
    named = (*_NAME_FIELDS, *(field for test in tests for field in test.fields))
    return NameRule(compile_record_test(given_names_agree), tuple(dict.fromkeys(named)))


class Conflicts:
    """For one aspect and each record of a component: which records it can be told apart from."""

    __slots__ = ("_conflicting", "_informed", "is_free")

    def __init__(
        self,
        keys: Sequence[Hashable | None],
        items: Sequence[_Item],
        is_conflict: Callable[[_Item, _Item], bool | None],
    ) -> None:
        """Compares each two distinct values once.

        Args:
            keys: One value for each record; None where it is not known.
            items: What `is_conflict` takes for that value, parallel to `keys`.
            is_conflict: Whether two values conflict; None if they are uninformed about it.
        """
        holders: dict[Hashable, int] = {}
        item_of: dict[Hashable, _Item] = {}
        for position, key in enumerate(keys):
            if key is not None:
                holders[key] = holders.get(key, 0) | (1 << position)
                item_of.setdefault(key, items[position])
        values = list(holders)
        self.is_free = True
        conflicting = dict.fromkeys(values, 0)
        informed = dict.fromkeys(values, 0)
        for place, left in enumerate(values):
            for right in values[place:]:
                verdict = is_conflict(item_of[left], item_of[right])
                if verdict is None:
                    continue
                informed[left] |= holders[right]
                informed[right] |= holders[left]
                if verdict:
                    self.is_free = False
                    conflicting[left] |= holders[right]
                    conflicting[right] |= holders[left]
        self._conflicting = [0 if key is None else conflicting[key] for key in keys]
        self._informed = [0 if key is None else informed[key] for key in keys]

    def count(self, left: GroupFacts, right: GroupFacts) -> tuple[int, int]:
        """Cross pairs of records that conflict, and all that are informed (those too)."""
        if len(left.positions) > len(right.positions):
            left, right = right, left
        members = right.members
        conflicting = informed = 0
        for position in left.positions:
            conflicting += (self._conflicting[position] & members).bit_count()
            informed += (self._informed[position] & members).bit_count()
        return conflicting, informed


class ComponentFacts:
    """What is known of the records of one component, compared with one another when first asked."""

    __slots__ = ("_birth_dates", "_birth_orders", "_given_names", "_name_rule", "records")

    def __init__(self, records: Sequence[ComparisonRecord], name_rule: NameRule) -> None:
        self.records = records
        self._name_rule = name_rule
        self._birth_dates: Conflicts | None = None
        self._given_names: Conflicts | None = None
        self._birth_orders: Conflicts | None = None

    @property
    def birth_dates(self) -> Conflicts:
        """Records that can be told apart by their live birth dates (`birth_dates_conflict`)."""
        if self._birth_dates is None:
            values = [_birth_value(record) for record in self.records]
            keys = [value if value[0] else None for value in values]
            self._birth_dates = Conflicts(keys, values, birth_dates_conflict)
        return self._birth_dates

    @property
    def given_names(self) -> Conflicts:
        """Records that can be told apart by their live given names (`given_names_conflict`)."""
        if self._given_names is None:
            rule = self._name_rule
            value_of = attrgetter(*rule.fields)
            keys = [
                None if record.given_name is None else value_of(record) for record in self.records
            ]
            self._given_names = Conflicts(
                keys, self.records, lambda left, right: given_names_conflict(left, right, rule)
            )
        return self._given_names

    @property
    def birth_orders(self) -> Conflicts:
        """Records that can be told apart by their place in a multiple birth."""
        if self._birth_orders is None:
            values = [record.birth_order for record in self.records]
            self._birth_orders = Conflicts(values, values, _differ)
        return self._birth_orders

    def has_no_conflict(self) -> bool:
        """No two records conflict in any aspect; then only numbers and decisions can veto."""
        return self.birth_dates.is_free and self.birth_orders.is_free and self.given_names.is_free

    def group_of_one(self, position: int, *, opposed: int = 0, is_disowned: bool) -> GroupFacts:
        """The facts of a record that is still alone.

        Args:
            position: Place of the record in `records`.
            opposed: Bits of the records that a decision keeps from it.
            is_disowned: A decision calls its NHS number wrong.
        """
        record = self.records[position]
        number = record.trusted_nhs_number
        stated = _NOTHING if number is None else frozenset((number,))
        birth_date = record.birth_date
        return GroupFacts(
            component=self,
            members=1 << position,
            positions=(position,),
            opposed=opposed,
            stated_numbers=stated,
            trusted_numbers=_NOTHING if is_disowned else stated,
            birth_dates=_NOTHING if birth_date is None else frozenset((birth_date,)),
            ties=frozenset(record.family_names + record.family_parts),
            addresses=frozenset(record.addresses),
        )


@dataclass(slots=True, frozen=True)
class GroupFacts:
    """What a veto may read of a group: sets of its values, and its records, to count by."""

    component: ComponentFacts
    members: int
    """Bits of its records."""
    positions: tuple[int, ...]
    opposed: int
    """Bits of the records that a *different* decision keeps from one of its records."""
    stated_numbers: frozenset[str]
    """Trusted NHS numbers as the sources have them."""
    trusted_numbers: frozenset[str]
    """The same without those that a decision disowned."""
    birth_dates: frozenset[str]
    ties: frozenset[str]
    """Family names and their halves, earlier ones included."""
    addresses: frozenset[str]
    """Earlier ones included."""

    def shares_stated_number(self, other: GroupFacts) -> bool:
        """Whether the two hold one trusted number in common, disowned by a decision or not."""
        return not self.stated_numbers.isdisjoint(other.stated_numbers)


def merged_facts(groups: Sequence[GroupFacts]) -> GroupFacts:
    """The facts of the group that these groups of one component make together."""
    members = opposed = 0
    for group in groups:
        members |= group.members
        opposed |= group.opposed
    return GroupFacts(
        component=groups[0].component,
        members=members,
        positions=tuple([position for group in groups for position in group.positions]),
        opposed=opposed,
        stated_numbers=_NOTHING.union(*[group.stated_numbers for group in groups]),
        trusted_numbers=_NOTHING.union(*[group.trusted_numbers for group in groups]),
        birth_dates=_NOTHING.union(*[group.birth_dates for group in groups]),
        ties=_NOTHING.union(*[group.ties for group in groups]),
        addresses=_NOTHING.union(*[group.addresses for group in groups]),
    )


def find_veto(left: GroupFacts, right: GroupFacts) -> VetoReason | None:
    """The first reason, (a) to (e), why the groups must stay apart; None if there is none.

    Args:
        left: Facts of a group of one component.
        right: Another group of the same component; the order of the two never matters.
    """
    for veto in VETOES:
        reason = veto(left, right)
        if reason is not None:
            return reason
    return None


def find_groups_veto(
    left: Sequence[tuple[ComparisonRecord, bool]],
    right: Sequence[tuple[ComparisonRecord, bool]],
    name_rule: NameRule,
) -> VetoReason | None:
    """The veto (b) to (e) between two groups of records that need not share a component.

    Args:
        left: Each record with whether a decision calls its NHS number wrong.
        right: Likewise.
        name_rule: Of the model.
    """
    members = [*left, *right]
    facts = ComponentFacts([record for record, _ in members], name_rule)
    alone = [
        facts.group_of_one(position, is_disowned=is_disowned)
        for position, (_, is_disowned) in enumerate(members)
    ]
    return find_veto(merged_facts(alone[: len(left)]), merged_facts(alone[len(left) :]))


def find_record_veto(
    left: ComparisonRecord, right: ComparisonRecord, name_rule: NameRule
) -> VetoReason | None:
    """The veto (b) to (e) between two records, or between two versions of one (an overlay).

    The order of the two never matters. None if nothing keeps them apart.
    """
    return find_groups_veto([(left, False)], [(right, False)], name_rule)


def decided_different(left: GroupFacts, right: GroupFacts) -> VetoReason | None:
    """(a) A steward's word outranks every weight."""
    if left.opposed & right.members:
        return VetoReason.DECIDED_DIFFERENT
    return None


def conflicting_nhs_numbers(left: GroupFacts, right: GroupFacts) -> VetoReason | None:
    """(b) Two people may share a name, a birth date and a house, but not two verified numbers.

    Source: NHS Data Dictionary, NHS NUMBER STATUS INDICATOR.
    """
    if not left.trusted_numbers or not right.trusted_numbers or _share_number(left, right):
        return None
    return VetoReason.CONFLICTING_NHS_NUMBERS


def conflicting_demographics(left: GroupFacts, right: GroupFacts) -> VetoReason | None:
    """(c) A number in common does not outweigh that nothing else does.

    About two people in 10,000 carry another's valid number: a mother's on her baby, a sibling's.
    """
    if not _share_number(left, right):
        return None
    birth_conflicting, birth_informed = left.component.birth_dates.count(left, right)
    given_conflicting, given_informed = left.component.given_names.count(left, right)
    birth_agrees = birth_conflicting < birth_informed
    given_agrees = given_conflicting < given_informed
    if (2 * birth_conflicting > birth_informed and not given_agrees) or (
        2 * given_conflicting > given_informed and not birth_agrees
    ):
        return VetoReason.CONFLICTING_DEMOGRAPHICS
    return None


def conflicting_birth_dates(left: GroupFacts, right: GroupFacts) -> VetoReason | None:
    """(d) Fathers and sons share a name and an address; a slip changes one part of a date."""
    if _share_number(left, right) or not _clearly_conflict(left.component.birth_dates, left, right):
        return None
    return VetoReason.CONFLICTING_BIRTH_DATES


def twins(left: GroupFacts, right: GroupFacts) -> VetoReason | None:
    """(e) Born on one day into one family or home, but called differently, or told apart at birth.

    They agree on birth date, family name, postcode and often sex, so no weight tells them apart;
    nor does a number in common, which one of them may have been given for the other
    (docs/decisions/0002).
    """
    if left.birth_dates.isdisjoint(right.birth_dates) or (
        left.ties.isdisjoint(right.ties) and left.addresses.isdisjoint(right.addresses)
    ):
        return None
    facts = left.component
    if _clearly_conflict(facts.given_names, left, right) or _clearly_conflict(
        facts.birth_orders, left, right
    ):
        return VetoReason.TWINS
    return None


VETOES: Final = (
    decided_different,
    conflicting_nhs_numbers,
    conflicting_demographics,
    conflicting_birth_dates,
    twins,
)


def birth_dates_conflict(left: BirthValue, right: BirthValue) -> bool | None:
    """Whether two or more components differ, other than by a swap of day and month.

    Returns:
        None if fewer than two components are known on both sides: then they can neither conflict
        nor agree. Equal texts without any component (nothing could be read) agree.
    """
    known = different = 0
    for one, other in zip(left[1:], right[1:], strict=True):
        if one is not None and other is not None:
            known += 1
            different += one != other
    if known < CONFLICTING_COMPONENTS_MIN:
        return False if left[0] == right[0] and left[1] is None else None
    if different < CONFLICTING_COMPONENTS_MIN:
        return False
    is_swapped = (left[2], left[3]) == (right[3], right[2])
    return not (is_swapped and (left[1] == right[1] or left[1] is None or right[1] is None))


def given_names_conflict(
    left: ComparisonRecord, right: ComparisonRecord, rule: NameRule
) -> bool | None:
    """Whether two known given names are clearly different.

    Returns:
        None if one is only an initial of the other person's given or middle name.
    """
    if _is_initial_of(left, right) or _is_initial_of(right, left):
        return None
    return left.given_name != right.given_name and not rule.agree(left, right)


_NOTHING: Final[frozenset[str]] = frozenset()


def _share_number(left: GroupFacts, right: GroupFacts) -> bool:
    return not left.trusted_numbers.isdisjoint(right.trusted_numbers)


def _clearly_conflict(aspect: Conflicts, left: GroupFacts, right: GroupFacts) -> bool:
    if aspect.is_free:
        return False
    conflicting, informed = aspect.count(left, right)
    return 2 * conflicting > informed


def _birth_value(record: ComparisonRecord) -> BirthValue:
    return (record.birth_date, record.birth_year, record.birth_month, record.birth_day)


def _differ(left: str | None, right: str | None) -> bool:
    return left != right


def _is_initial_of(short: ComparisonRecord, full: ComparisonRecord) -> bool:
    initial = short.given_name
    if initial is None or len(initial) != 1 or full.given_name is None:
        return False
    if full.given_name.startswith(initial):
        return True
    names = (*full.middle_names, *full.given_forms)
    return any(name.startswith(initial) for name in names if name[:1] != SOUND_MARK)

"""All names of one version of a record, put together from its fields.

Fields run into each other: `SMITH, JOHN` stands in the family name, a KAUR among the middle names,
the maiden name in brackets.  Each field is read by itself (and remembered); here they meet.
"""

from __future__ import annotations

from typing import NamedTuple

from mpi.domain.demographics import Demographics, PreviousName
from mpi.standardise.name_words import may_begin_placeholder
from mpi.standardise.names import (
    NO_MIDDLE_NAMES,
    FamilyName,
    GivenName,
    Values,
    first_then_sorted,
    standardise_family_name,
    standardise_given_name,
    standardise_middle_names,
)

_CALLED_BY = frozenset({"alias", "preferred"})
"""Kinds of previous name by which the person goes now as well."""


class PersonNames(NamedTuple):
    """The names in one version; tuples hold the version's own name first, the others sorted."""

    given_name: str | None
    family_name: str | None
    words: Values
    birth_order: str | None
    given_forms: Values
    given_names: Values
    given_roots: Values
    given_sounds: Values
    given_initials: Values
    middle_names: Values
    family_names: Values
    family_parts: Values
    family_sounds: Values


def read_person_names(version: Demographics) -> PersonNames:
    """What the name fields of this version say together."""
    given = standardise_given_name(version.given_name)
    middles = standardise_middle_names(version.middle_name)
    if version.middle_name and may_begin_placeholder(version.given_name):
        whole = standardise_given_name(f"{version.given_name} {version.middle_name}")
        given, middles = (whole, NO_MIDDLE_NAMES) if whole.name is None else (given, middles)
    family = standardise_family_name(version.family_name)
    if given.name is None and family.given:
        given = standardise_given_name(family.given)._replace(birth_order=given.birth_order)
    if family.name is None and given.family:
        family = standardise_family_name(given.family)
    words = given.words + middles.words + family.words
    if given.relative:
        family = _with_family(family, standardise_family_name(given.relative))
    if given.shared_middles or middles.shared:
        family = _with_parts(family, given.shared_middles + middles.shared)
    for name in version.previous_names:
        given = _with_given(given, name)
        family = _with_family(family, standardise_family_name(name.family_name))
    return _person_names(given, _joined(given.middles, middles.names), family, words)


def _person_names(
    given: GivenName, middles: Values, family: FamilyName, words: Values
) -> PersonNames:
    return PersonNames(
        given.name,
        family.name,
        words,
        given.birth_order,
        given.forms,
        given.names,
        given.roots,
        given.sounds,
        given.initials,
        middles,
        family.names,
        family.parts,
        family.sounds,
    )


def _with_given(given: GivenName, previous: PreviousName) -> GivenName:
    """The given name with an earlier or other one; only what the person goes by now is a form."""
    other = standardise_given_name(previous.given_name)
    is_called = previous.kind in _CALLED_BY
    if other.name is None or (other.names == given.names and not is_called):
        return given
    return given._replace(
        names=_joined(given.names, other.names),
        roots=_joined(given.roots, other.roots),
        sounds=_joined(given.sounds, other.sounds),
        initials=_joined(given.initials, other.initials),
        forms=_joined(given.forms, other.forms) if is_called else given.forms,
    )


def _with_family(family: FamilyName, other: FamilyName) -> FamilyName:
    if other.name is None or other == family:
        return family
    return FamilyName(
        family.name,
        _joined(family.names, other.names),
        _joined(family.parts, other.parts),
        _joined(family.sounds, other.sounds),
        family.words,
        family.given,
    )


def _with_parts(family: FamilyName, parts: Values) -> FamilyName:
    return family._replace(parts=_joined(family.parts, parts))


def _joined(values: Values, others: Values) -> Values:
    """The values with others added: the first stays first."""
    if not others:
        return values
    more = [value for value in others if value not in values]
    if not more:
        return values
    return first_then_sorted((*values, *more), own=min(len(values), 1))

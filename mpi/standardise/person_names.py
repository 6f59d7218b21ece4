"""All names of one version of a record, put together from its fields.

Fields run into each other: `SMITH, JOHN` stands in the family name, a KAUR among the middle names,
the maiden name in brackets.  Each field is read by itself (and remembered); here they meet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mpi.domain.demographics import Demographics, PreviousName
from mpi.standardise.name_words import may_begin_placeholder
from mpi.standardise.names import (
    FamilyName,
    GivenName,
    Values,
    first_then_sorted,
    is_shared_middle,
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
        given, middles = (whole, ()) if whole.name is None else (given, middles)
    family = standardise_family_name(version.family_name)
    if given.name is None and family.given:
        given = standardise_given_name(family.given)._replace(birth_order=given.birth_order)
    if family.name is None and given.family:
        family = standardise_family_name(given.family)
    if version.previous_names or middles or given.shared_middles or given.relative:
        return _with_more(given, family, middles, version.previous_names)
    return _names(given, family, given.middles, given.words + family.words)


def _names(given: GivenName, family: FamilyName, middles: Values, words: Values) -> PersonNames:
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


def _with_more(
    given: GivenName, family: FamilyName, middles: Values, previous: Iterable[PreviousName]
) -> PersonNames:
    """The names with the middle-name field and the previous names added."""
    shared = (*given.shared_middles, *filter(is_shared_middle, middles))
    own_middles = (*given.middles, *(name for name in middles if not is_shared_middle(name)))
    words = given.words + middles + family.words
    for name in previous:
        given = _with_given(given, name)
        family = _with_family(family, standardise_family_name(name.family_name))
    family = _with_family(family, standardise_family_name(given.relative))
    family = family._replace(parts=_joined(family.parts, shared))
    return _names(given, family, first_then_sorted(own_middles), words)


def _with_given(given: GivenName, previous: PreviousName) -> GivenName:
    """The given name with an earlier or other one; only what the person goes by now is a form."""
    other = standardise_given_name(previous.given_name)
    if other.name is None:
        return given
    is_called = previous.kind in _CALLED_BY
    return given._replace(
        names=_joined(given.names, other.names),
        roots=_joined(given.roots, other.roots),
        sounds=_joined(given.sounds, other.sounds),
        initials=_joined(given.initials, other.initials),
        forms=_joined(given.forms, other.forms) if is_called else given.forms,
    )


def _with_family(family: FamilyName, other: FamilyName) -> FamilyName:
    if other.name is None:
        return family
    return family._replace(
        names=_joined(family.names, other.names),
        parts=_joined(family.parts, other.parts),
        sounds=_joined(family.sounds, other.sounds),
    )


def _joined(values: Values, others: Iterable[str]) -> Values:
    """The values with others added: the first stays first."""
    more = [value for value in others if value not in values]
    if not more:
        return values
    return first_then_sorted((*values, *more), own=min(len(values), 1))

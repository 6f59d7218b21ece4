"""Given, middle and family names as they are compared: every form that one human's name takes.

English linkage goes wrong first at names that are not English: particles, double surnames, KAUR
and SINGH, two given names in one field.  So a name brings several forms, and the forms of a
distinct text are made once (a region has some 50,000 forenames in millions of records).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from mpi.standardise.data_files import read_words
from mpi.standardise.name_words import (
    is_child_of,
    is_unknown_name,
    is_unnamed_child,
    name_words,
    names_somebody,
    read_name_text,
    without_titles,
)
from mpi.standardise.nicknames import canonical_names, root_names
from mpi.standardise.numbers import standardise_birth_order
from mpi.standardise.sounds import family_sound_key, sound_key
from mpi.standardise.text import fold_text, remembered

SOUND_MARK: Final = "~"
"""Before a sound among given forms, so that it never equals a name."""

_PARTICLES: Final = read_words("names", "particles")
_BARED_PARTICLES: Final = read_words("names", "bared_particles")
_GIVEN_PARTICLES: Final = read_words("names", "given_particles")
_SHARED_MIDDLES: Final = read_words("names", "shared_middles")


Values = tuple[str, ...]


class GivenName(NamedTuple):
    """The forms of one given-name field; tuples hold the first name's own form first."""

    name: str | None = None
    names: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    initials: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    middles: tuple[str, ...] = ()
    shared_middles: tuple[str, ...] = ()
    """KAUR, SINGH... found after the first name."""
    words: tuple[str, ...] = ()
    family: str = ""
    """A family name found in this field (`SMITH, JOHN`), as text."""
    relative: str = ""
    birth_order: str | None = None


class MiddleNames(NamedTuple):
    """The words of a middle-name field."""

    names: Values = ()
    """The first one first, the others sorted."""
    shared: Values = ()
    """KAUR, SINGH..."""
    words: Values = ()
    """All, as they stand."""


class FamilyName(NamedTuple):
    """The forms of one family-name field; the name's own form first."""

    name: str | None = None
    names: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    given: str = ""
    """A given name found in this field (`SMITH, JOHN`), as text."""


NO_GIVEN_NAME: Final = GivenName()
NO_MIDDLE_NAMES: Final = MiddleNames()
NO_FAMILY_NAME: Final = FamilyName()


def first_then_sorted(values: Iterable[str], *, own: int = 1) -> Values:
    """Distinct values: the first `own` ones (none or one) as they are, the others sorted."""
    distinct = tuple(dict.fromkeys(values))
    if len(distinct) <= own + 1:
        return distinct
    return (*distinct[:own], *sorted(distinct[own:]))


@remembered(1 << 17)
def standardise_given_name(text: str) -> GivenName:
    """The forms of what stands in a given-name field.

    `ANNE-MARIE` is one name, ANNEMARIE, which also answers to ANNE; `ANNE MARIE` is ANNE with the
    middle name MARIE, which also sounds like ANNEMARIE.  A child not yet named has no name, but
    perhaps a birth order.
    """
    read = read_name_text(text)
    family, comma, given = read.main.partition(",")
    main = given if comma and given.strip() else family
    words = without_titles(_joined(name_words(main), _GIVEN_PARTICLES), is_given=True)
    if is_unknown_name(fold_text(main), words):
        return NO_GIVEN_NAME
    if is_child_of(main):
        return NO_GIVEN_NAME
    if is_unnamed_child(words):
        return GivenName(birth_order=standardise_birth_order(read.main))
    words = [word for word in words if names_somebody(word.replace("-", ""))]
    if not words:
        return NO_GIVEN_NAME
    others = [word for other in read.alternatives for word in name_words(other)[:1]]
    return _given_forms(words, others, family if comma and given.strip() else "", read.relative)


@remembered(1 << 16)
def standardise_middle_names(text: str) -> MiddleNames:
    """The words of a middle-name field; an initial is one letter."""
    read = read_name_text(text)
    words = without_titles(name_words(read.main), is_given=True)
    if is_unknown_name(fold_text(read.main), words) or is_unnamed_child(words):
        return NO_MIDDLE_NAMES
    words = list(filter(names_somebody, (word.replace("-", "") for word in words)))
    return MiddleNames(*_split_shared(words), tuple(words))


@remembered(1 << 18)
def standardise_family_name(text: str) -> FamilyName:
    """The forms of what stands in a family-name field.

    `DE LA CRUZ` is DELACRUZ and its part CRUZ; `SMITH-JONES` is SMITH JONES and its halves.
    """
    read = read_name_text(text)
    main, comma, given = read.main.partition(",")
    if comma and not main.strip():
        main, given = given, ""
    live = _family_words(main)
    if live is None:
        return NO_FAMILY_NAME
    others = (_family_words(other) for other in (*read.alternatives, read.relative))
    return _family_forms([live, *(other for other in others if other)], given.strip())


def _split_shared(words: Iterable[str]) -> tuple[Values, Values]:
    """Middle names of the person's own, and those that most people of a community bear."""
    distinct = list(dict.fromkeys(words))
    own = first_then_sorted(word for word in distinct if word not in _SHARED_MIDDLES)
    return own, tuple(word for word in distinct if word in _SHARED_MIDDLES)


def _joined(words: list[str], particles: frozenset[str]) -> list[str]:
    """The words with particles joined to what follows; a particle at the end stays a word."""
    joined: list[str] = []
    prefix = ""
    for word in words:
        prefix += word
        if prefix not in particles and word not in particles:
            joined.append(prefix)
            prefix = ""
    return [*joined, prefix] if prefix else joined


def _bare_words(words: list[str]) -> list[str]:
    """The words that a particle was joined to: CRUZ of DE LA CRUZ, HASSAN of AL HASSAN."""
    return [
        word
        for before, word in pairwise(words)
        if before in _BARED_PARTICLES and word not in _PARTICLES and len(word) > 2
    ]


def _given_forms(words: list[str], others: list[str], family: str, relative: str) -> GivenName:
    first, *rest = words
    halves = [half for half in first.split("-") if len(half) > 1]
    name = first.replace("-", "")
    names = first_then_sorted([name, *(other.replace("-", "") for other in others)])
    known = [form for form in (*names, *halves[:1]) if len(form) > 1]
    compound = name + rest[0].replace("-", "") if rest and _is_compound(name, rest[0]) else ""
    roots = first_then_sorted(root for form in known for root in root_names(form))
    own_sounds = [sound_key(form) for form in (*known, compound) if form]
    root_sounds = [sound_key(root) for form in known for root in canonical_names(form)]
    more_words = tuple(word.replace("-", "") for word in rest)
    middles, shared_middles = _split_shared(more_words)
    return GivenName(
        name=name,
        names=names,
        roots=roots,
        sounds=first_then_sorted(key for key in own_sounds + root_sounds if key),
        initials=first_then_sorted(form[0] for form in names),
        forms=first_then_sorted([*roots, *(SOUND_MARK + key for key in own_sounds if key)]),
        middles=middles,
        shared_middles=shared_middles,
        words=(name, *more_words),
        family=family.strip(),
        relative=relative,
    )


def _is_compound(first: str, second: str) -> bool:
    """Whether two words may be one given name written apart: ANNE MARIE."""
    return len(first) > 1 and len(second) > 1 and second not in _SHARED_MIDDLES


class _FamilyWords(NamedTuple):
    words: list[str]
    bare: list[str]


def _family_words(folded: str) -> _FamilyWords | None:
    """The words of one family name, particles joined; None for a placeholder."""
    apart = name_words(folded.replace("-", " "))
    words = without_titles(_joined(apart, _PARTICLES), is_given=False)
    if is_unknown_name(fold_text(folded), words):
        return None
    return _FamilyWords(words, _bare_words(apart))


def _family_forms(names: list[_FamilyWords], given: str) -> FamilyName:
    whole = [" ".join(name.words) for name in names]
    parts = first_then_sorted(part for name in names for part in _family_parts(name))
    return FamilyName(
        name=whole[0],
        names=first_then_sorted(whole),
        parts=parts,
        sounds=first_then_sorted(key for part in parts if (key := family_sound_key(part))),
        words=tuple(names[0].words),
        given=given,
    )


def _family_parts(name: _FamilyWords) -> list[str]:
    """The whole name, its halves, and the words that a particle was joined to."""
    halves = [word for word in name.words if len(word) > 1]
    return [" ".join(name.words), *halves, *name.bare]

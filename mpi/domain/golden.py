"""The golden record: the best-known demographics of a person, derived and always rebuildable.

A pure function of the current records that it may see, so that one recipient's golden record is the
same function over the records shared with that recipient. Every value says where it came from.

For each field the winner is, in this order: a value that is no placeholder; the source trusted most
for the field; a verified value; the most recent statement; last, so that nothing depends on the
order of records, the larger text. Address, town and postcode win together, as a number and its
status do: a street of one record with the postcode of another is nobody's address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from mpi.domain.demographics import TEXT_FIELDS, Demographics
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import PART_TYPES

VERIFIED_STATUS: Final = "01"
"""NHS NUMBER STATUS INDICATOR: number present and verified."""
_TOGETHER: Final = (
    ("nhs_number", "nhs_number_status"),
    ("address", "town", "postcode"),
)
LISTS: Final = ("other_phones", "previous_names", "previous_addresses", "related_people")

IsInformative = Callable[[str, str], bool]
"""Whether a field's text says anything; false for placeholders such as BABY or ZZ99 3VZ."""


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """The live version of one of the person's records; `event_at` is when it became true, UTC."""

    key: RecordKey
    demographics: Demographics
    event_at: datetime
    digest: str
    """Of the version."""
    trust: Mapping[str, int]
    """Field -> 0..100, of the record's source."""


class Teller(NamedTuple):
    """A current record without what it says."""

    key: RecordKey
    event_at: datetime
    digest: str
    trust: Mapping[str, int]


Contents = tuple[Any, ...]
"""What a record says, by place: the fields of `TEXT_FIELDS`, then of `LISTS`."""


class GoldenValue(NamedTuple):
    """One value with its provenance.

    `value` is a text; of the fields in `LISTS` a text or one part, such as a `PreviousName`.
    """

    value: Any
    record: RecordKey
    version: str
    """Digest of the version that says so."""
    rule: str
    """What made it win: `only`, `agreed`, `informative`, `trust`, `verified`, `recency`, `text`;
    `listed` for entries of a list."""


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """Field -> value, for the fields that somebody knows; lists hold every distinct entry.

    A field that nobody tells is absent. Entries of a list are in order of recency, the latest
    first.
    """

    values: Mapping[str, GoldenValue]
    lists: Mapping[str, tuple[GoldenValue, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: field -> `{value, record, version, rule}`, or a list of such.

        Texts come first, in the order of the fields of `Demographics`, then the lists (`LISTS`).
        """
        plain: dict[str, Any] = {name: _plain(value) for name, value in self.values.items()}
        plain |= {name: [_plain(entry) for entry in found] for name, found in self.lists.items()}
        return plain


def survivorship(
    records: Sequence[CurrentRecord], *, is_informative: IsInformative = lambda _field, _text: True
) -> GoldenRecord:
    """The golden record of these current records of one person.

    Args:
        records: At least one, each key once; their order does not matter.
        is_informative: Field, text -> whether it is more than a placeholder; every text if left
            out.

    Returns:
        For each field the winner by the order in this module's docstring, with its provenance.
    """
    tellers = [Teller(each.key, each.event_at, each.digest, each.trust) for each in records]
    contents = [_contents_of(each.demographics) for each in records]
    return survivorship_of_contents(contents, tellers, is_informative=is_informative)


def survivorship_of_contents(
    contents: Sequence[Contents], tellers: Sequence[Teller], *, is_informative: IsInformative
) -> GoldenRecord:
    """`survivorship` of what each of these tellers says, for callers who have it by place."""
    if len(tellers) > 1:
        told = sorted(zip(tellers, contents, strict=True), key=_key_of_teller)
        tellers, contents = zip(*told, strict=True)
    # Column by column: most fields are told by nobody or alike by all, and that shows at once.
    columns = list(zip(*contents, strict=True))
    values: dict[str, GoldenValue] = {}
    for names, places in FIELD_GROUPS:
        if len(names) == 1:
            _settle_alone(names, columns[places[0]], tellers, values, is_informative)
        else:
            together = [columns[place] for place in places]
            _settle_together(names, together, tellers, values, is_informative)
    lists = {
        name: _entries(column, tellers)
        for name, column in zip(LISTS, columns[len(TEXT_FIELDS) :], strict=True)
        if any(column)
    }
    return GoldenRecord(values, lists)


def contents_from_dict(content: Mapping[str, Any]) -> Contents:
    """What a record says, as `demographics_to_dict` has it, by place."""
    found: list[Any] = list(map(content.get, _CONTENT_FIELDS))
    for place, part_type in _LIST_PLACES:
        if found[place] is None:
            found[place] = ()
        elif part_type is not None:
            found[place] = tuple([part_type(**part) for part in found[place]])
    return tuple(found)


def _field_groups() -> tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]:
    """The fields that win together, with their places among the text fields."""
    grouped = {name: names for names in _TOGETHER for name in names}
    groups = dict.fromkeys(grouped.get(name, (name,)) for name in TEXT_FIELDS)
    return tuple((names, tuple(TEXT_FIELDS.index(name) for name in names)) for names in groups)


FIELD_GROUPS: Final = _field_groups()
_NO_TEXT: Final = frozenset((None, ""))
_Texts = tuple[str | None, ...]
_Standing = tuple[int, bool, datetime, tuple[str, ...]]
"""What decides between informative values, the weightiest first; parallel to `RULES[1:]`."""
RULES: Final = ("informative", "trust", "verified", "recency", "text")
_CONTENT_FIELDS: Final = (*TEXT_FIELDS, *LISTS)
_LIST_PLACES: Final = tuple(
    (place, PART_TYPES.get(name)) for place, name in enumerate(LISTS, start=len(TEXT_FIELDS))
)
_contents_of: Final[Callable[[Demographics], Contents]] = attrgetter(*_CONTENT_FIELDS)


def _key_of_teller(told: tuple[Teller, Contents]) -> RecordKey:
    return told[0].key


def _settle_alone(
    names: tuple[str, ...],
    texts: Sequence[str | None],
    tellers: Sequence[Teller],
    values: dict[str, GoldenValue],
    is_informative: IsInformative,
) -> None:
    """Adds the winner of a field that wins or loses alone, if anybody tells it.

    Where all say the same, which is the rule, only the provenance is to be settled.
    """
    said = {*texts} - _NO_TEXT
    if not said:
        return
    name = names[0]
    if len(said) > 1:
        told = [((text,), teller) for text, teller in zip(texts, tellers, strict=True) if text]
        (value,), winner, rule = _judge(names, told, is_informative)
    else:
        (value,) = said
        winner, rule = _most_trusted(
            [teller for text, teller in zip(texts, tellers, strict=True) if text], name
        )
    values[name] = GoldenValue(value, winner.key, winner.digest, rule)


def _settle_together(
    names: tuple[str, ...],
    columns: Sequence[Sequence[str | None]],
    tellers: Sequence[Teller],
    values: dict[str, GoldenValue],
    is_informative: IsInformative,
) -> None:
    """Adds the winner of fields that win together, if anybody tells one of them."""
    rows = zip(*columns, strict=True)
    told = [(row, teller) for row, teller in zip(rows, tellers, strict=True) if any(row)]
    if not told:
        return
    texts = told[0][0]
    if len({row for row, _ in told}) > 1:
        texts, winner, rule = _judge(names, told, is_informative)
    else:
        winner, rule = _most_trusted([teller for _, teller in told], names[0])
    for name, text in zip(names, texts, strict=True):
        if text:
            values[name] = GoldenValue(text, winner.key, winner.digest, rule)


def _most_trusted(tellers: Sequence[Teller], lead: str) -> tuple[Teller, str]:
    """Who is quoted for what all say; of equals the record with the smallest key."""
    best = tellers[0]
    if len(tellers) == 1:
        return best, "only"
    best_trust = best.trust.get(lead, 0)
    for teller in tellers[1:]:
        trust = teller.trust.get(lead, 0)
        if trust > best_trust or (trust == best_trust and teller.event_at > best.event_at):
            best, best_trust = teller, trust
    return best, "agreed"


def _judge(
    names: tuple[str, ...],
    told: Sequence[tuple[_Texts, Teller]],
    is_informative: IsInformative,
) -> tuple[_Texts, Teller, str]:
    """The winner among different values, and the rule that made it win."""
    lead = names[0]
    best: dict[_Texts, tuple[_Standing, Teller]] = {}
    for texts, teller in told:
        ordered = tuple([text or "" for text in texts])
        verified = lead == "nhs_number" and texts[1] == VERIFIED_STATUS
        standing = (teller.trust.get(lead, 0), verified, teller.event_at, ordered)
        known = best.get(ordered)
        if known is None or standing > known[0]:
            best[ordered] = (standing, teller)
    ranked = sorted(best.values(), key=_standing, reverse=True)
    won, standing, winner = _first_informative(names, ranked, is_informative)
    rivals = [candidate for candidate in ranked if candidate[1] is not winner]
    if not rivals:
        return standing[-1], winner, "agreed"  # They leave a part out as None or as empty text.
    lost, best_rival, _ = _first_informative(names, rivals, is_informative)
    pairs = zip(RULES, (won, *standing), (lost, *best_rival), strict=True)
    return standing[-1], winner, next(rule for rule, mine, theirs in pairs if mine != theirs)


def _first_informative(
    names: tuple[str, ...],
    ranked: Sequence[tuple[_Standing, Teller]],
    is_informative: IsInformative,
) -> tuple[bool, _Standing, Teller]:
    """The best of different values, and whether it says anything; most need not be read."""
    for standing, teller in ranked:
        if _says_anything(names, standing[-1], is_informative):
            return True, standing, teller
    return False, *ranked[0]


def _says_anything(names: tuple[str, ...], texts: _Texts, is_informative: IsInformative) -> bool:
    said = zip(names, texts, strict=True)
    return any(text and is_informative(name, text) for name, text in said)


def _standing(candidate: tuple[_Standing, Teller]) -> _Standing:
    return candidate[0]


def _entries(
    column: Iterable[tuple[Any, ...]], tellers: Iterable[Teller]
) -> tuple[GoldenValue, ...]:
    """Every distinct entry, told by the most recent record that has it, the most recent first."""
    found: dict[Any, Teller] = {}
    for entries, teller in zip(column, tellers, strict=True):
        for entry in entries:
            known = found.get(entry)
            if known is None or teller.event_at > known.event_at:
                found[entry] = teller
    ordered = list(found.items())
    if len(ordered) > 1:
        ordered.sort(key=lambda item: repr(item[0]))
        ordered.sort(key=lambda item: item[1].event_at, reverse=True)
    return tuple(
        [GoldenValue(entry, teller.key, teller.digest, "listed") for entry, teller in ordered]
    )


def _plain(golden: GoldenValue) -> dict[str, Any]:
    value, record, version, rule = golden
    if not isinstance(value, str):
        known = ((name, getattr(value, name)) for name in _NAMES_OF_PART[type(value)])
        value = {name: text for name, text in known if text is not None}
    return {"value": value, "record": f"{record[0]}:{record[1]}", "version": version, "rule": rule}


_NAMES_OF_PART: Final = {
    part_type: tuple(part.name for part in fields(part_type)) for part_type in PART_TYPES.values()
}

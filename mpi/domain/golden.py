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
from typing import Any, Final

from mpi.domain.demographics import TEXT_FIELDS, Demographics
from mpi.domain.identifiers import RecordKey

VERIFIED_STATUS: Final = "01"
"""NHS NUMBER STATUS INDICATOR: number present and verified."""
_TOGETHER: Final = (
    ("nhs_number", "nhs_number_status"),
    ("address", "town", "postcode"),
)
_LISTS: Final = ("other_phones", "previous_names", "previous_addresses", "related_people")

IsInformative = Callable[[str, str], bool]
"""Whether a field's text says anything; false for placeholders such as BABY or ZZ99 3VZ."""


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """The live version of one of the person's records."""

    key: RecordKey
    demographics: Demographics
    event_at: datetime
    digest: str
    """Of the version."""
    trust: Mapping[str, int]
    """Field -> 0..100, of the record's source."""


@dataclass(frozen=True, slots=True)
class GoldenValue:
    """One value with its provenance."""

    value: Any
    record: RecordKey
    version: str
    """Digest of the version that says so."""
    rule: str
    """What made it win: `only`, `agreed`, `informative`, `trust`, `verified`, `recency`, `text`;
    `listed` for entries of a list."""


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """Field -> value, for the fields that somebody knows; lists hold every distinct entry."""

    values: Mapping[str, GoldenValue]
    lists: Mapping[str, tuple[GoldenValue, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the fields of `Demographics`."""
        plain: dict[str, Any] = {name: _plain(value) for name, value in self.values.items()}
        plain |= {name: [_plain(entry) for entry in found] for name, found in self.lists.items()}
        return plain


def survivorship(
    records: Sequence[CurrentRecord], *, is_informative: IsInformative = lambda _field, _text: True
) -> GoldenRecord:
    """The golden record of these current records of one person.

    Args:
        records: At least one; their order does not matter.
        is_informative: Tells values from placeholders.
    """
    ordered = sorted(records, key=_key)
    # Column by column: most fields are told by nobody or alike by all, and that shows at once.
    columns = list(zip(*[_texts_of(record.demographics) for record in ordered], strict=True))
    values: dict[str, GoldenValue] = {}
    for names, places in _FIELD_GROUPS:
        rows = zip(*[columns[place] for place in places], strict=True)
        told = [(row, record) for row, record in zip(rows, ordered, strict=True) if any(row)]
        if told:
            _settle(names, told, values, is_informative)
    lists = {name: entries for name in _LISTS if (entries := _entries(name, ordered))}
    return GoldenRecord(values, lists)


def _field_groups() -> tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]:
    """The fields that win together, with their places among the text fields."""
    grouped = {name: names for names in _TOGETHER for name in names}
    groups = dict.fromkeys(grouped.get(name, (name,)) for name in TEXT_FIELDS)
    return tuple((names, tuple(TEXT_FIELDS.index(name) for name in names)) for names in groups)


_FIELD_GROUPS: Final = _field_groups()
_Texts = tuple[str | None, ...]
_Standing = tuple[bool, int, bool, datetime, tuple[str, ...]]
"""What decides, the weightiest first; parallel to `_RULES`."""
_RULES: Final = ("informative", "trust", "verified", "recency", "text")
_key: Final[Callable[[CurrentRecord], RecordKey]] = attrgetter("key")
_texts_of: Final[Callable[[Demographics], _Texts]] = attrgetter(*TEXT_FIELDS)


def _settle(
    names: tuple[str, ...],
    told: Sequence[tuple[_Texts, CurrentRecord]],
    values: dict[str, GoldenValue],
    is_informative: IsInformative,
) -> None:
    """Adds the winner of the fields that win together.

    Where all say the same, which is the rule, only the provenance is to be settled.
    """
    if len({texts for texts, _ in told}) == 1:
        texts, winner = _most_trusted(told, names[0])
        rule = "only" if len(told) == 1 else "agreed"
    else:
        texts, winner, rule = _judge(names, told, is_informative)
    for name, text in zip(names, texts, strict=True):
        if text:
            values[name] = GoldenValue(text, winner.key, winner.digest, rule)


_Told = tuple[_Texts, CurrentRecord]


def _most_trusted(told: Sequence[_Told], lead: str) -> _Told:
    """Who is quoted for what all say; of equals the record with the smallest key."""
    best = told[0]
    best_standing = (best[1].trust.get(lead, 0), best[1].event_at)
    for candidate in told[1:]:
        standing = (candidate[1].trust.get(lead, 0), candidate[1].event_at)
        if standing > best_standing:
            best, best_standing = candidate, standing
    return best


def _judge(
    names: tuple[str, ...], told: Sequence[_Told], is_informative: IsInformative
) -> tuple[_Texts, CurrentRecord, str]:
    """The winner among different values, and the rule that made it win."""
    lead = names[0]
    candidates: list[tuple[_Standing, CurrentRecord]] = []
    for texts, record in told:
        informative = any(
            text and is_informative(name, text) for name, text in zip(names, texts, strict=True)
        )
        verified = lead == "nhs_number" and texts[1] == VERIFIED_STATUS
        ordered = tuple([text or "" for text in texts])
        standing = (informative, record.trust.get(lead, 0), verified, record.event_at, ordered)
        candidates.append((standing, record))
    standing, winner = max(candidates, key=_standing)
    rule = _deciding_rule(standing, [other for other, _ in candidates])
    return standing[-1], winner, rule


def _standing(candidate: tuple[_Standing, CurrentRecord]) -> _Standing:
    return candidate[0]


def _deciding_rule(winner: _Standing, others: Sequence[_Standing]) -> str:
    """The rule that told the winner from the best of the different values."""
    rivals = [other for other in others if other[-1] != winner[-1]]
    best = max(rivals)
    return next(
        rule for rule, mine, theirs in zip(_RULES, winner, best, strict=True) if mine != theirs
    )


def _entries(name: str, records: Iterable[CurrentRecord]) -> tuple[GoldenValue, ...]:
    """Every distinct entry, told by the most recent record that has it, the most recent first."""
    found: dict[Any, CurrentRecord] = {}
    for record in records:
        for entry in getattr(record.demographics, name):
            known = found.get(entry)
            if known is None or record.event_at > known.event_at:
                found[entry] = record
    ordered = sorted(found.items(), key=lambda item: repr(item[0]))
    ordered.sort(key=lambda item: item[1].event_at, reverse=True)
    return tuple(
        GoldenValue(entry, record.key, record.digest, "listed") for entry, record in ordered
    )


def _plain(golden: GoldenValue) -> dict[str, Any]:
    value = golden.value
    if not isinstance(value, str):
        known = ((part.name, getattr(value, part.name)) for part in fields(value))
        value = {name: text for name, text in known if text is not None}
    return {
        "value": value,
        "record": str(golden.record),
        "version": golden.version,
        "rule": golden.rule,
    }

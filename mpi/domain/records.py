"""Source records, their versions, and the form in which records are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from mpi.domain.demographics import (
    Demographics,
    PreviousAddress,
    PreviousName,
    RelatedPerson,
)
from mpi.domain.identifiers import RecordKey

PART_TYPES = {
    "previous_names": PreviousName,
    "previous_addresses": PreviousAddress,
    "related_people": RelatedPerson,
}
"""The fields of `Demographics` that hold several parts each, and what the parts are."""


DELETION: Final = "deleted"
"""The digest of a version that says nothing but that the source deleted its record."""


class VersionVerdict(StrEnum):
    """What a steward says of a version that contradicts the ones before it."""

    CORRECTION = "correction"
    ANOTHER_HUMAN = "another_human"
    """The versions before it are somebody else's and count as entered in error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordVersion:
    """One immutable thing that a source said about one record at one time.

    `verdict` is a steward's word about it, None as long as there is none in force.
    """

    key: RecordKey
    demographics: Demographics
    event_at: datetime
    """When it became true at the source, UTC."""
    sequence: int = 0
    """The source's own order among versions of one instant; 0 if it has none."""
    digest: str = ""
    """`content_digest` of the demographics' canonical JSON, or `DELETION`."""
    is_entered_in_error: bool = False
    verdict: VersionVerdict | None = None
    content: str = field(default="", compare=False, repr=False)
    """Canonical JSON of the demographics, where it is at hand."""

    @property
    def is_deletion(self) -> bool:
        """Whether it says nothing but that the source deleted its record."""
        return self.digest == DELETION

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Instant, sequence, digest: versions are folded in this order, however they arrive."""
        return (self.event_at, self.sequence, self.digest)


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record as it stands: its accepted versions in event order; the last one is live."""

    key: RecordKey
    versions: tuple[RecordVersion, ...]

    @property
    def live(self) -> RecordVersion:
        """The last version, which golden records quote."""
        return self.versions[-1]


def fold_versions(versions: Sequence[RecordVersion]) -> SourceRecord:
    """The record that these versions make, the same for every order of arrival.

    Args:
        versions: At least one version, all of one key. Equal ones, as merged records may have told,
            count once, with the steward's word about any of them. Those entered in error do not
            count, nor does what equals one, unless nothing else is left.
    """
    if len(versions) == 1:
        return SourceRecord(versions[0].key, tuple(versions))
    withdrawn = {version.order for version in versions if version.is_entered_in_error}
    accepted = [version for version in versions if version.order not in withdrawn] or versions
    ordered = sorted(accepted, key=_place)
    once = {version.order: version for version in ordered}
    return SourceRecord(versions[0].key, tuple(once.values()))


def _place(version: RecordVersion) -> tuple[Any, ...]:
    """Of equal versions the last counts."""
    verdict = _VERDICTS.index(version.verdict)
    return (*version.order, not version.is_entered_in_error, verdict)


_VERDICTS: Final = (None, VersionVerdict.CORRECTION, VersionVerdict.ANOTHER_HUMAN)
"""Of two about equal versions the later here holds: where decisions differ, *different* wins."""


def demographics_to_dict(demographics: Demographics) -> dict[str, Any]:
    """The content as plain JSON values: field -> text, list of texts, or list of parts' objects.

    Fields that are empty are left out, of parts too; the order is that of `Demographics`.
    """
    content: dict[str, Any] = {}
    for name in _DEMOGRAPHIC_FIELDS:
        value = getattr(demographics, name)
        if value is None or value == ():
            continue
        if name in PART_TYPES:
            value = [_part_to_dict(part) for part in value]
        elif isinstance(value, tuple):
            value = list(value)
        content[name] = value
    return content


def demographics_from_dict(content: Mapping[str, Any]) -> Demographics:
    """The inverse of `demographics_to_dict`.

    Raises:
        TypeError: If a key is no field: callers give what was stored or has been checked.
    """
    values = dict(content)
    for name, part_type in PART_TYPES.items():
        if name in values:
            values[name] = tuple(part_type(**part) for part in values[name])
    if "other_phones" in values:
        values["other_phones"] = tuple(values["other_phones"])
    return Demographics(**values)


def content_json(content: Mapping[str, Any]) -> str:
    """Canonical JSON: keys sorted by code point, no spaces, text as it is."""
    return _CANONICAL.encode(content)


_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
)


def content_digest(canonical_json: str) -> str:
    """32 hexadecimal digits of BLAKE2b (RFC 7693): equal content, equal digest, on every path.

    Args:
        canonical_json: What `content_json` gives; half characters in it are digested as they are.
    """
    data = canonical_json.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _part_to_dict(part: PreviousName | PreviousAddress | RelatedPerson) -> dict[str, str]:
    values = ((field_.name, getattr(part, field_.name)) for field_ in fields(part))
    return {name: value for name, value in values if value is not None}


_DEMOGRAPHIC_FIELDS = tuple(field_.name for field_ in fields(Demographics))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord:
    """What is compared of one record: ASCII capitals, placeholders gone, history included.

    Text is folded to `A-Z0-9` and single spaces, because DuckDB compares bytes and Python
    characters. An empty value is a missing value: None, or an empty tuple. Tuples are distinct
    values; the live version's first, then the others sorted, so that equal records are equal.
    Fields marked *live* come from the live version alone; the others from all accepted versions.
    """

    nhs_number: str | None = None
    """Live. A valid number, trusted or not; no placeholder, not disputed; successor applied."""
    trusted_nhs_number: str | None = None
    """Live. The same, if its status or its source is one that the model trusts."""
    identifier: str | None = None
    """Live. Number of another scheme: letters and digits only."""
    given_name: str | None = None
    """Live. First given name."""
    given_names: tuple[str, ...] = ()
    """First given names, preferred names and aliases."""
    given_roots: tuple[str, ...] = ()
    """Canonical forms of the given names: LIZ and BETTY both hold ELIZABETH; each holds itself."""
    given_sounds: tuple[str, ...] = ()
    """Keys that are equal for given names that sound, transliterate or scan alike."""
    given_initials: tuple[str, ...] = ()
    given_forms: tuple[str, ...] = ()
    """Live. Given names, roots and sounds (marked `~`): two that share one may be one human's;
    vetoes read this, never the history. Middle names are left out: twins often share one."""
    middle_names: tuple[str, ...] = ()
    """Given names after the first; initials are one letter."""
    family_name: str | None = None
    """Live."""
    family_names: tuple[str, ...] = ()
    """Family names, previous and maiden ones included."""
    family_parts: tuple[str, ...] = ()
    """Family names and the halves of double-barrelled ones; particles left out of the halves."""
    family_sounds: tuple[str, ...] = ()
    """Keys that are equal for family names (and their halves) that sound or scan alike."""
    full_name: str | None = None
    """Live. `GIVEN|FAMILY`, if both are known."""
    name_bag: str | None = None
    """Live. All words of given, middle and family name, sorted: equal however ordered."""
    birth_date: str | None = None
    """Live. `YYYY-MM-DD`; shorter if partial; impossible dates as they were written."""
    birth_year: str | None = None
    birth_month: str | None = None
    """Missing, like the day, on 1 January: the official stand-in for an unknown date."""
    birth_day: str | None = None
    birth_order: str | None = None
    """Live. `1`, `2`... in a multiple birth."""
    sex: str | None = None
    """Live. `M` or `F`."""
    postcode: str | None = None
    """Live. Without the space: `DT11AA`. Pseudo-postcodes (ZZ99) are missing."""
    postcodes: tuple[str, ...] = ()
    outward_codes: tuple[str, ...] = ()
    """First halves of the postcodes: `DT1`."""
    addresses: tuple[str, ...] = ()
    """`12 HIGH ST`: number or name, then the street with common words abbreviated."""
    places: tuple[str, ...] = ()
    """`12 HIGH ST|DT11AA`: address and postcode of one dwelling at one time."""
    phone: str | None = None
    """Live. First telephone, national form, digits only."""
    phones: tuple[str, ...] = ()
    email: str | None = None
    """Live."""
    emails: tuple[str, ...] = ()


COMPARISON_FIELDS: tuple[str, ...] = tuple(field_.name for field_ in fields(ComparisonRecord))
TUPLE_FIELDS: frozenset[str] = frozenset(
    field_.name for field_ in fields(ComparisonRecord) if field_.type == "tuple[str, ...]"
)
SCALAR_FIELDS: frozenset[str] = frozenset(COMPARISON_FIELDS) - TUPLE_FIELDS

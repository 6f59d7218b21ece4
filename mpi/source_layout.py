"""What is known of a source system: its names, its domain of numbers and the layout of its rows.

Only data, so that it can travel to worker processes; `mpi.config` reads it from mapping files and
`mpi.batch.row_layout` makes functions of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_DATE_TOKENS: Final = re.compile(r"YYYY|Mon|DD|D|HH|MM|M|SS|[-/. :,T]")
_DATE_PATTERNS: Final = {
    "YYYY": r"(?P<year>[0-9]{4})",
    "Mon": r"(?P<month_name>[A-Za-z]{3})",
    "MM": r"(?P<month>[0-9]{2})",
    "M": r"(?P<month>[0-9]{1,2})",
    "DD": r"(?P<day>[0-9]{2})",
    "D": r"(?P<day>[0-9]{1,2})",
    "HH": r"(?P<hour>[0-9]{2})",
    "SS": r"(?P<second>[0-9]{2})",
}
_MINUTES: Final = r"(?P<minute>[0-9]{2})"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierDomain:
    """Where a source's local ids are unique: its URI, and what people there call such a number.

    A FHIR `Identifier.system` or an HL7 v2 assigning authority is such a domain.
    """

    uri: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """How a source writes its files down."""

    format: str
    """`csv`, `ndjson` or `parquet`; also the ending of the file's name."""
    encoding: str = "utf-8"
    """A superset of ASCII; NDJSON and Parquet are always UTF-8."""
    delimiter: str = ","
    """Of CSV (RFC 4180): one ASCII character."""
    empty: frozenset[str] = frozenset()
    """Texts that stand for no value, exactly as written."""
    ignored: frozenset[str] = frozenset()
    """Columns left out on purpose; any other column that is not mapped is an error."""
    optional: frozenset[str] = frozenset()
    """Mapped columns that a CSV or Parquet file may lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLayout:
    """Where one value comes from and what is done to it, in the order of these attributes."""

    columns: tuple[str, ...] = ()
    """Column names, or dotted paths into a JSON object."""
    value: str | None = None
    """A constant instead of a column."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Of a list of objects: only those with these values."""
    item: tuple[str, ...] = ()
    """Of each of these objects: these keys, joined."""
    split: str | None = None
    """The text is a list with this separator."""
    take: str | None = None
    """Of a list: `first`, `rest`, or None for all."""
    join: tuple[str, ...] = (" ",)
    """Between columns, keys or elements: one separator, or one before each column but the first."""
    strip_prefix: str = ""
    part: str | None = None
    """A part of `SURNAME, Forename Middle` or of an address in one line."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Source's code -> ours; a code that is not listed stays as it is."""
    dates: tuple[str, ...] = ()
    """Date formats in order of trial; what fits none stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLayout:
    """One previous name, previous address or related person; with `each`, one for each element."""

    each: str | None = None
    """Path to a list: then one part for each of its elements."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Of these elements only those with these values."""
    fields: Mapping[str, ValueLayout]
    """Field of the part -> where its text comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLayout:
    """What makes a version of a row: whose it is, and where it stands among the others."""

    local_id: ValueLayout
    event_at: ValueLayout
    """`dates` holds one format with year, month and day, or `ISO`."""
    zone: str = "UTC"
    """Time zone of an event time that does not say its own."""
    sequence: ValueLayout | None = None
    """The source's own order among versions of one instant; all are 0 without it."""
    entered_in_error: ValueLayout | None = None
    """Says that the source takes the version back, where its text is one of `error_values`."""
    error_values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSystem:
    """A sending organisation's system, as its mapping file describes it; picklable.

    `ods_code` is its organisation's code of the NHS Organisation Data Service.
    """

    name: str
    display: str
    ods_code: str
    identifier_domain: IdentifierDomain
    file: FileLayout
    row: RowLayout
    fields: Mapping[str, tuple[ValueLayout, ...]]
    """Field of `Demographics` -> its values; only `other_phones` has more than one."""
    parts: Mapping[str, tuple[PartLayout, ...]]
    """`previous_names`, `previous_addresses`, `related_people` -> where each comes from."""
    trust: Mapping[str, int]
    """Every field of `Demographics` -> 0..100: how far survivorship believes this source."""
    digest: str
    """32 hexadecimal digits of the mapping's content; comments and order do not count."""


def date_pattern(date_format: str) -> str:
    """The regular expression of a format such as `DD/MM/YYYY HH:MM`, its parts as named groups.

    The groups are `year`, `month` or `month_name`, `day`, `hour`, `minute` and `second`, as far as
    the format has them.

    Tokens: YYYY, MM or M, Mon (Jan), DD or D, HH, SS; MM after HH means minutes. Years have four
    digits, because two do not say which century, and people live longer than one.

    Raises:
        ValueError: If the format has other letters, no year, or a part twice.
    """
    pattern, hour_seen = "", False
    at = 0
    while at < len(date_format):
        token = _DATE_TOKENS.match(date_format, at)
        if token is None:
            raise ValueError("use YYYY, MM, M, Mon, DD, D, HH, SS and - / . : , T or a space")
        text = token.group()
        is_minutes = hour_seen and text == "MM"
        pattern += _MINUTES if is_minutes else _DATE_PATTERNS.get(text, re.escape(text))
        hour_seen = hour_seen or text == "HH"
        at = token.end()
    if "YYYY" not in date_format:
        raise ValueError("a date needs a year of four digits, YYYY")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError("each part of a date may occur once") from error
    return pattern

"""Any CSV or Parquet file of people as a table of texts, and what kind of file it is.

The file comes from somewhere else: nobody wrote a mapping for it. So what a mapping would say is
read off the file itself: whether its numbers are NHS numbers, whether its dates put the month
first. A file that cannot be read is refused in one sentence before anything is written.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mpi.batch.files.exchanged_names import with_names_in_order
from mpi.batch.files.rows import BLOCK_BYTES, AsideRow, read_rows
from mpi.errors import InvalidInput
from mpi.standardise.numbers import standardise_nhs_number
from mpi.standardise.postcodes import is_british

FILE_COLUMNS: Final = (
    "record_id", "source", "nhs_number", "given_name", "middle_name", "family_name",
    "date_of_birth", "sex", "postcode", "address", "town", "phone", "email",
)  # fmt: skip
"""All that is read; any may be missing or empty."""
ROWS_MAX: Final = 5_000_000
VALID_SHARE_MIN: Final = 0.5
"""Share of numbers that pass the check in a column of NHS numbers; of others, one in 11 does."""
MONTH_FIRST_RATIO: Final = 20
"""Dates that only fit month first, to each that only fits day first, in a month-first source."""

_PARQUET_MARK: Final = b"PAR1"
_PARQUET_ENDINGS: Final = frozenset({".parquet", ".pq"})
_DELIMITERS: Final = ",;\t|"
_DATE: Final = re.compile(r"\s*([0-9]{1,2})([/.\-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?![0-9])")
_MONTHS_IN_YEAR: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file's rows and what was found out about them."""

    rows: pa.Table
    """Text columns `FILE_COLUMNS`, NULL where empty; `record_id` always holds a value."""
    ignored_columns: tuple[str, ...]
    aside_rows: tuple[AsideRow, ...]
    """Rows with too many or too few columns, or with stray quotation marks."""
    unnamed_rows: int
    """Rows without a record id, which are called `row-<number>`."""
    has_repeated_ids: bool
    """Record ids are unique only together with the source."""
    has_nhs_numbers: bool
    """Whether `nhs_number` holds NHS numbers; otherwise it holds numbers of another scheme."""
    has_numbers: bool
    month_first_sources: frozenset[str]
    has_towns_only: bool
    """There are towns but no postcodes."""
    are_areas_towns: bool
    """Towns tell areas, because most postcodes are not British."""
    exchanged_names: int = 0
    """Rows whose given and family names were put in order."""


def read_input(path: Path) -> InputFile:
    """Read the file whole.

    Raises:
        InvalidInput: If it is missing, empty, neither CSV nor Parquet, not UTF-8, has none of the
            columns, no row, or the same record id twice in one source.
    """
    table, aside = _read_table(path)
    known, ignored = _known_columns(table, path)
    if not known.num_rows:
        raise InvalidInput(f"{path}: no row could be read")
    if known.num_rows > ROWS_MAX:
        raise InvalidInput(f"{path}: has more than {ROWS_MAX:,} rows")
    unnamed = known["record_id"].null_count
    known = _with_record_ids(known)
    numbers = known["nhs_number"].drop_null().to_pylist()
    valid = sum(standardise_nhs_number(number) is not None for number in numbers)
    return InputFile(
        rows=known,
        ignored_columns=ignored,
        aside_rows=aside,
        unnamed_rows=unnamed,
        has_repeated_ids=_check_ids(known, path),
        has_nhs_numbers=bool(numbers) and valid >= VALID_SHARE_MIN * len(numbers),
        has_numbers=bool(numbers),
        month_first_sources=_month_first_sources(known),
        has_towns_only=_is_empty(known["postcode"]) and not _is_empty(known["town"]),
        are_areas_towns=not (_is_empty(known["town"]) or _has_british_postcodes(known)),
    )


def with_ordered_names(file: InputFile) -> InputFile:
    """The file with given and family names that were in each other's column put in order."""
    rows, count = with_names_in_order(file.rows)
    return replace(file, rows=rows, exchanged_names=count)


def day_first(text: str) -> str:
    """A date that was written month first (`12/31/1980`) as the standardiser expects it."""
    found = _DATE.match(text)
    if not found:
        return text
    month, mark, day, year = found.groups()
    return f"{day}{mark}{month}{mark}{year}{text[found.end() :]}"


def _read_table(path: Path) -> tuple[pa.Table, tuple[AsideRow, ...]]:
    try:
        with path.open("rb") as file:
            mark = file.read(len(_PARQUET_MARK))
            if not mark:
                raise InvalidInput(f"{path}: the file is empty")
            if mark == _PARQUET_MARK or path.suffix in _PARQUET_ENDINGS:
                return _read_parquet(path), ()
        return _read_csv(path)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path}: is not a Parquet file, or was broken off") from error


def _read_csv(path: Path) -> tuple[pa.Table, tuple[AsideRow, ...]]:
    header, delimiter = _read_header(path)
    return read_rows(path, header, delimiter)


def _read_header(path: Path) -> tuple[list[str], str]:
    """The columns' names and the delimiter; the whole file is checked for its encoding."""
    _check_encoding(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline()
    if line.count('"') % 2:
        raise InvalidInput(f"{path}: line 1, the header, has a quotation mark that stays open")
    counts = {mark: line.count(mark) for mark in _DELIMITERS}
    delimiter = max(counts, key=lambda mark: counts[mark])
    try:
        header = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise InvalidInput(f"{path}: line 1, the header, is not as in CSV") from error
    # Names are made distinct, because Arrow takes its types by name.
    seen: Counter[str] = Counter()
    for place, name in enumerate(header):
        seen[name] += 1
        if seen[name] > 1:
            header[place] = f"{name} ({seen[name]})"
            if _folded(name) in FILE_COLUMNS:
                raise InvalidInput(f"{path}: column {_folded(name)} is there twice")
    return header, delimiter


def _check_encoding(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while True:
            data = file.read(BLOCK_BYTES)
            if b"\0" in data:
                raise InvalidInput(f"{path}: is not a text file in UTF-8")
            try:
                decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise InvalidInput(f"{path}: line {line} is not UTF-8") from error
            if not data:
                return
            line += data.count(b"\n")


def _folded(name: str) -> str:
    """`Given Name` and `given-name` are `given_name`."""
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


def _known_columns(table: pa.Table, path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """All of `FILE_COLUMNS` as texts, and the names of the other columns."""
    places: dict[str, int] = {}
    ignored: list[str] = []
    for place, name in enumerate(table.column_names):
        folded = _folded(name)
        if folded in places:
            raise InvalidInput(f"{path}: column {folded} is there twice")
        if folded in FILE_COLUMNS:
            places[folded] = place
        else:
            ignored.append(name)
    if not places.keys() - {"record_id", "source"}:
        raise InvalidInput(f"{path}: has none of the columns {', '.join(FILE_COLUMNS[2:])}")
    columns = {
        name: _texts(table.column(places[name]), name, path)
        if name in places
        else pa.nulls(table.num_rows, pa.string())
        for name in FILE_COLUMNS
    }
    return pa.table(columns), tuple(ignored)


def _texts(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """The column as texts; NULL where nothing but white space stands."""
    try:
        texts = column.cast(pa.string())
    except pa.ArrowException as error:
        raise InvalidInput(f"{path}: column {name} holds no text") from error
    is_blank = pc.equal(pc.utf8_trim_whitespace(texts), "")
    return pc.if_else(is_blank, pa.scalar(None, pa.string()), texts)


def _with_record_ids(rows: pa.Table) -> pa.Table:
    """Rows without an id are named by their place, counted from 1."""
    if not rows["record_id"].null_count:
        return rows
    ids = rows["record_id"].to_pylist()
    named = [text or f"row-{number}" for number, text in enumerate(ids, 1)]
    at = rows.schema.get_field_index("record_id")
    return rows.set_column(at, "record_id", pa.array(named, pa.string()))


def _check_ids(rows: pa.Table, path: Path) -> bool:
    """Whether ids repeat from source to source; within one they must not."""
    ids = rows["record_id"].to_pylist()
    if len(set(ids)) == len(ids):
        return False
    keys = list(zip(rows["source"].to_pylist(), ids, strict=True))
    if len(set(keys)) < len(keys):
        _refuse_repeated(keys, path)
    return True


def _refuse_repeated(keys: Sequence[tuple[str | None, str]], path: Path) -> NoReturn:
    seen: set[tuple[str | None, str]] = set()
    repeated = []
    for row, key in enumerate(keys, 1):
        if key in seen:
            repeated.append(row)
        seen.add(key)
    raise InvalidInput(
        f"{path}: record_id must be unique within a source, "
        f"but {len(repeated):,} rows repeat an earlier one, the first of them row {repeated[0]:,}"
    )


def _is_empty(column: pa.ChunkedArray) -> bool:
    return int(column.null_count) == len(column)


def _has_british_postcodes(rows: pa.Table) -> bool:
    """Of other countries' postcodes nobody knows which part is an area."""
    postcodes = rows["postcode"].drop_null().unique().to_pylist()
    british = sum(is_british(postcode) for postcode in postcodes)
    return bool(postcodes) and british >= VALID_SHARE_MIN * len(postcodes)


def _month_first_sources(rows: pa.Table) -> frozenset[str]:
    """Sources (empty text for none) that write American dates."""
    tallies: dict[str, list[int]] = {}
    texts = zip(rows["source"].to_pylist(), rows["date_of_birth"].to_pylist(), strict=True)
    for source, text in texts:
        order = _order(text) if text else 0
        if order:
            tallies.setdefault(source or "", [0, 0])[order > 0] += 1
    return frozenset(
        source
        for source, (day, month) in tallies.items()
        if month and month >= MONTH_FIRST_RATIO * day
    )


def _order(text: str) -> int:
    """1 if the date can only be month first, -1 if only day first, 0 if it does not tell."""
    found = _DATE.match(text)
    if not found:
        return 0
    first, second = int(found[1]), int(found[3])
    if first <= _MONTHS_IN_YEAR < second:
        return 1
    return -1 if second <= _MONTHS_IN_YEAR < first else 0

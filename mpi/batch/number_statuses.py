"""NHS numbers that a folder of feeds says are disputed or superseded.

`reference/nhs_number_status.csv` beside the feeds is what the national service told of numbers:
it is stated by the feed, never inferred from records. What a steward stated stays as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from mpi.batch.feeds import QuarantinedRow
from mpi.domain.identifiers import is_valid_nhs_number
from mpi.errors import InvalidInput
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import NumberStatus

STATUS_FILE: Final = "reference/nhs_number_status.csv"
FEED_AUTHOR: Final = "feed"
"""Who stated a status that came with feeds."""
_HEADER: Final = ["nhs_number", "status", "superseded_by"]
_COLUMNS: Final = ("number", "nhs_number", "status", "successor", "author")


@dataclass(frozen=True, slots=True)
class NumberStatement:
    """What is said of one NHS number."""

    nhs_number: str
    status: NumberStatus
    successor: str | None


@dataclass(frozen=True, slots=True)
class StatusFile:
    """What a folder says of numbers, and the rows of it that cannot be used."""

    statements: Sequence[NumberStatement] = ()
    quarantined: Sequence[QuarantinedRow] = ()


def read_status_file(folder: Path) -> StatusFile:
    """The file of a folder of feeds; nothing if the folder has none.

    Raises:
        InvalidInput: If it cannot be read as CSV with the columns nhs_number, status and
            superseded_by.
    """
    path = folder / STATUS_FILE
    if not path.is_file():
        return StatusFile()
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: cannot be read as utf-8 text") from error
    if not lines or lines[0].strip().split(",") != _HEADER:
        raise InvalidInput(f"{path}: the first line is not {','.join(_HEADER)}")
    return _read_lines(lines[1:])


def _read_lines(lines: Sequence[str]) -> StatusFile:
    statements: dict[str, NumberStatement] = {}
    quarantined: list[QuarantinedRow] = []
    for line, text in enumerate(lines, start=2):
        cells = [cell.strip() for cell in next(csv.reader([text]), [])]
        reason = _refusal(cells, statements)
        if reason is not None:
            quarantined.append(QuarantinedRow(line, reason, text.encode()))
        elif any(cells):
            number, status, successor = cells
            statements[number] = NumberStatement(number, NumberStatus(status), successor or None)
    return StatusFile(tuple(statements.values()), tuple(quarantined))


def _refusal(cells: Sequence[str], known: Mapping[str, NumberStatement]) -> str | None:
    """Why a row states nothing; None for a sound row, and for a blank one."""
    if not any(cells):
        return None
    if len(cells) != len(_HEADER):
        return f"row: {len(cells)} columns where the header has {len(_HEADER)}"
    number, status, successor = cells
    if not is_valid_nhs_number(number):
        return "nhs_number: is not an NHS number"
    if status not in set(NumberStatus):
        return "status: must be disputed or superseded"
    if (status == NumberStatus.SUPERSEDED) != bool(successor):
        return "superseded_by: must be given for a superseded number, and only then"
    if successor and (not is_valid_nhs_number(successor) or successor == number):
        return "superseded_by: is not another NHS number"
    stated = (known[number].status, known[number].successor) if number in known else None
    if stated is not None and stated != (status, successor or None):
        return "nhs_number: has another status in an earlier row"
    return None


def find_news(
    stored: Sequence[Mapping[str, Any]], statements: Sequence[NumberStatement]
) -> tuple[list[NumberStatement], list[int]]:
    """What the store does not know yet, and the numbers of the feed's rows that no longer hold.

    Args:
        stored: Rows of `nhs_number_status` in force: number, nhs_number, status, successor, author.
        statements: What the folder says.
    """
    known = {row["nhs_number"]: row for row in stored}
    news, outdated = [], []
    for each in statements:
        row = known.get(each.nhs_number)
        if row is None:
            news.append(each)
        elif row["author"] == FEED_AUTHOR and (row["status"], row["successor"]) != (
            each.status,
            each.successor,
        ):
            news.append(each)
            outdated.append(row["number"])
    return news, outdated


def has_news(stored: pa.Table, statements: Sequence[NumberStatement]) -> bool:
    """Whether the folder says something of a number that the store does not have.

    Args:
        stored: Rows of the table `nhs_number_status` in force, as `find_news` reads them.
        statements: What the folder says.
    """
    return bool(find_news(stored.to_pylist(), statements)[0])


def write_statements(
    bulk: BulkTransaction, statements: Sequence[NumberStatement], *, at: datetime
) -> int:
    """Adds what is new, and retracts what the feed said otherwise; gives how many are new."""
    stored = bulk.read("nhs_number_status", _COLUMNS, "retracted_at IS NULL").to_pylist()
    news, outdated = find_news(stored, statements)
    instant = pa.scalar(at, pa.timestamp("us", "UTC"))
    if outdated:
        rows = {"number": outdated, "retracted_at": pa.repeat(instant, len(outdated))}
        bulk.update("nhs_number_status", pa.table(rows), on=["number"])
    if news:
        rows = {
            "nhs_number": pa.array([each.nhs_number for each in news]),
            "status": pa.array([str(each.status) for each in news]),
            "successor": pa.array([each.successor for each in news], pa.string()),
            "author": pa.repeat(FEED_AUTHOR, len(news)),
            "recorded_at": pa.repeat(instant, len(news)),
        }
        bulk.append("nhs_number_status", pa.table(rows))
    return len(news)

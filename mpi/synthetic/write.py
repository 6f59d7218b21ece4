"""Writes each source's rows in its own raw layout, and the truth beside them.

One row in some 20,000 is broken on purpose, a copy of a good one, so that quarantine has work and
nothing that the truth names is lost.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from mpi.synthetic.cells import Cells
from mpi.synthetic.corruption import fold_accents
from mpi.synthetic.rows import Records

MALFORMED_EVERY: Final = 20_000
"""Rows per malformed row; every file has at least one."""


def write_source(records: Records, folder: Path) -> tuple[int, int]:
    """Writes `<source>.csv` or `.ndjson`.

    Returns:
        How many sound rows and how many malformed ones.

    Raises:
        OSError: If the folder cannot be written; `write_region` tells it as StorageUnavailable.
    """
    layout = records.spec.file
    cells = Cells(records, layout.get("codes", {}))
    path = folder / f"{records.spec.name}.{layout['format']}"
    malformed = malformed_places(len(records.record))
    encoding = layout.get("encoding", "utf-8")
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        if layout["format"] == "csv":
            _write_csv(file, cells, layout, malformed)
        else:
            _write_ndjson(file, cells, layout["template"], malformed)
    return len(records.record), len(malformed)


def malformed_places(rows: int) -> list[int]:
    """Rows after which a broken copy follows, evenly spread; none in an empty file."""
    count = min(rows, max(1, rows // MALFORMED_EVERY))
    return [(2 * number + 1) * rows // (2 * count) for number in range(count)]


def _write_csv(file: TextIO, cells: Cells, layout: Mapping[str, Any], malformed: list[int]) -> None:
    header = [name for name, _ in layout["columns"]]
    columns = [cells.column(cell) for _, cell in layout["columns"]]
    if layout.get("encoding") == "cp1252":
        columns = [_encodable(column, "cp1252") for column in columns]
    if "empty" in layout:
        columns = [[layout["empty"] if text is None else text for text in each] for each in columns]
    writer = csv.writer(
        file,
        delimiter=layout.get("delimiter", ","),
        quoting=csv.QUOTE_ALL if layout.get("is_quoted") else csv.QUOTE_MINIMAL,
        lineterminator="\r\n",
    )
    writer.writerow(header)
    rows = list(zip(*columns, strict=True))
    start = 0
    for number, place in enumerate(malformed):
        writer.writerows(rows[start:place])
        broken = rows[place]
        writer.writerow(broken[: len(broken) // 2] if number % 2 == 0 else (*broken, "surplus"))
        start = place
    writer.writerows(rows[start:])


def _encodable(column: Sequence[Any], encoding: str) -> list[Any]:
    """Texts that the encoding lacks lose their accents, as on the old system's screens."""
    done: dict[Any, Any] = {}
    for text in set(column):
        try:
            done[text] = text
            _ = text.encode(encoding) if text else b""
        except UnicodeEncodeError:
            done[text] = fold_accents(text)
    return [done[text] for text in column]


def _write_ndjson(
    file: TextIO, cells: Cells, template: Mapping[str, Any], malformed: list[int]
) -> None:
    objects = _encoded(template, cells)
    for place in reversed(malformed):
        whole = objects[place] or ""
        objects.insert(place, whole[: len(whole) // 2])
    file.writelines(f"{text}\n" for text in objects)


def _encoded(template: Any, cells: Cells) -> list[str | None]:
    """The template as JSON text, a row each, column by column; None where `when` is empty."""
    if isinstance(template, str):
        return _encoded_texts(cells.column(template))
    if isinstance(template, list):
        rows = zip(*(_encoded(item, cells) for item in template), strict=True)
        return [f"[{','.join(filter(None, row))}]" for row in rows]
    names = [name for name in template if name != "when"]
    pattern = "{" + ",".join(f"{json.dumps(name)}:%s" for name in names) + "}"
    rows = zip(*(_encoded(template[name], cells) for name in names), strict=True)
    if "when" not in template:
        return [pattern % row for row in rows]
    present = cells.column(template["when"])
    return [pattern % row if when else None for row, when in zip(rows, present, strict=True)]


def _encoded_texts(column: Sequence[Any]) -> list[str | None]:
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    if column and isinstance(column[0], list):
        return [encode(value) for value in column]
    done: dict[Any, str] = {value: encode(value) for value in set(column)}
    return [done[value] for value in column]

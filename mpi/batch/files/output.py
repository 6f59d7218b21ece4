"""What `mpi link` writes: whole files or none, by the file's ending CSV or Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mpi.errors import InvalidInput

_ENDINGS: Final = (".csv", ".parquet")


def check_outputs(file: Path, outputs: Sequence[Path]) -> None:
    """Raise `InvalidInput` if a result could not be written, before any work is done."""
    for out in outputs:
        if out.suffix not in _ENDINGS:
            raise InvalidInput(f"{out}: the name must end in {' or '.join(_ENDINGS)}")
        if not out.parent.is_dir():
            raise InvalidInput(f"{out}: there is no such folder")
        if out.is_dir():
            raise InvalidInput(f"{out}: is a folder")
    places = [path.resolve() for path in (file, *outputs)]
    if len(set(places)) < len(places):
        raise InvalidInput(f"{file}: input and results must be different files")


def write_whole(tables: Sequence[tuple[Path, pa.Table]]) -> None:
    """Write each table under another name first; none gets its own name unless all are written.

    Raises:
        InvalidInput: If one cannot be written; earlier files of these names are as they were.
    """
    unfinished = [(out.with_name(f".{out.name}.unfinished"), out, rows) for out, rows in tables]
    try:
        for draft, out, rows in unfinished:
            _write(draft, out, rows)
        for draft, out, _ in unfinished:
            draft.replace(out)
    finally:
        for draft, _, _ in unfinished:
            draft.unlink(missing_ok=True)


def _write(draft: Path, out: Path, rows: pa.Table) -> None:
    try:
        # People's identities are for the owner's eyes only.
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if out.suffix == ".parquet":
            pq.write_table(rows, draft)
        else:
            with draft.open("w", encoding="utf-8", newline="") as file:
                lines = csv.writer(file, lineterminator="\n")
                lines.writerow(rows.column_names)
                lines.writerows(zip(*rows.to_pydict().values(), strict=True))
    except OSError as error:
        raise InvalidInput(f"{out}: cannot be written: {error.strerror or error}") from error

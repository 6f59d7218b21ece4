"""Reading `truth.csv`: who each record really is, known only where the people are synthetic.

Its first columns are `source,local_id,human_id`; further columns describe the human or the record
and split the rates into groups. `hard_case` may hold several words joined by `;`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from mpi.errors import InvalidInput

TRUTH_FILE_NAME: Final = "truth.csv"
KEY_COLUMNS: Final = ("source", "local_id", "human_id")
GROUP_COLUMNS: Final = ("hard_case", "name_origin", "sex", "age")
"""Used for groups where the file has them; `age` is in whole years and is put in bands."""


def read_truth(path: Path) -> pa.Table:
    """The truth as text columns: those of `KEY_COLUMNS` and what is there of `GROUP_COLUMNS`.

    Args:
        path: A CSV file in UTF-8, or the folder of feeds that holds it as `truth.csv`.

    Raises:
        InvalidInput: If there is no such file, it is no CSV text, or a key column is missing or
            empty somewhere.
    """
    file = path / TRUTH_FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise InvalidInput(f"truth: there is no file {file}")
    try:
        with duckdb.connect() as connection:
            return _read(connection, file)
    except duckdb.Error as error:
        raise InvalidInput(f"truth: {file} is not a CSV file in UTF-8") from error


def _read(connection: duckdb.DuckDBPyConnection, file: Path) -> pa.Table:
    rows = connection.read_csv(str(file), header=True, all_varchar=True, delimiter=",")
    missing = [column for column in KEY_COLUMNS if column not in rows.columns]
    if missing:
        raise InvalidInput(f"truth: {file} has no column {', '.join(missing)}")
    columns = KEY_COLUMNS + tuple(name for name in GROUP_COLUMNS if name in rows.columns)
    table = rows.select(*columns).to_arrow_table()
    for column in KEY_COLUMNS:
        if table.column(column).null_count:
            raise InvalidInput(f"truth: {file} has a row whose {column} is empty")
    return table

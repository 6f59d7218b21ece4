"""Small feeds for tests: written in a source's own layout, and read with all that came of them."""

import csv
import io
import json
from pathlib import Path

from mpi.batch.feeds.reader import parse_chunk, read_chunks
from mpi.batch.feeds.row_columns import mapped_columns
from mpi.batch.feeds.version_rows import version_from_row
from mpi.config import SOURCES_FOLDER, read_source_systems

SOURCES = read_source_systems()
SMALL = """
name = "small"
display = "Small"
ods_code = "X1"
identifier_domain = { uri = "https://example.org/Id/small", kind = "number" }
file = { format = "FORMAT" }
row = { local_id = "id", event_at = { column = "at", format = "YYYY-MM-DD" } }
fields = { family_name = "name", address = "address" }
"""


def small_source(folder, file_format):
    (folder / "small.toml").write_text(SMALL.replace("FORMAT", file_format), "utf-8")
    return read_source_systems(folder)["small"]


def written(folder: Path, data: bytes, name="small.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def everything(path, source, **options):
    """Versions, contents and quarantined rows of all chunks."""
    parsed = [parse_chunk(chunk, source) for chunk in read_chunks(path, source, **options)]
    return (
        [version_from_row(**row) for chunk in parsed for row in chunk.versions.to_pylist()],
        [text for chunk in parsed for text in chunk.versions["content"].to_pylist()],
        [row for chunk in parsed for row in chunk.quarantined],
    )


def delimited(source, cells):
    """A feed with one row, all other columns of the source empty."""
    text = io.StringIO(newline="")
    columns = sorted(mapped_columns(source) | source.file.ignored)
    assert cells.keys() <= set(columns)
    writer = csv.DictWriter(text, columns, delimiter=source.file.delimiter, restval="")
    writer.writeheader()
    writer.writerow(cells)
    return text.getvalue().encode(source.file.encoding)


def example_in_mapping(name):
    """The object that the comment at the head of an NDJSON mapping shows."""
    path = SOURCES_FOLDER / f"{name}.toml"
    comment = [line[2:] for line in path.read_text("utf-8").splitlines() if line[:2] == "# "]
    text = "\n".join(comment)
    return json.JSONDecoder().raw_decode(text, text.index("{"))[0]

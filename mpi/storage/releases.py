"""Model releases on disk: written once, never changed, and read only if their digest holds.

A release is a folder `<model>/<version>/` of parameters, term frequencies, the stop list of
blocking keys and a card for people. Every edge and answer is stamped with its digest, so a file
that was touched afterwards must not be used. What is read here is plain values; `mpi.linkage`
makes the model of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mpi.errors import Conflict, InvalidModel, StorageUnavailable

SHIPPED_MODEL: Final = Path(__file__).parents[2] / "linkage_models" / "dorset"
PARAMETERS_FILE: Final = "parameters.json"
FREQUENCIES_FILE: Final = "frequencies.parquet"
STOP_LIST_FILE: Final = "stop_list.parquet"
CARD_FILE: Final = "MODEL_CARD.md"
DIGEST_FILE: Final = "digest"

_DIGESTED: Final = (FREQUENCIES_FILE, PARAMETERS_FILE, STOP_LIST_FILE)
"""What decides a weight or a candidate. The card only tells about it, the digest included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The content of one release."""

    version: str
    """The folder's name."""
    digest: str
    """64 hexadecimal digits of SHA-256 over the files that decide."""
    spec: Mapping[str, Any]
    """What `mpi.linkage.model.model_from_spec` takes: the spec with trained values."""
    frequencies: Mapping[str, Mapping[str, float]]
    """Field -> value -> share of the records, 0 to 1."""
    stop_list: frozenset[int]
    """Blocking keys that are replaced by tighter ones."""


def list_releases(folder: Path) -> tuple[Path, ...]:
    """The release folders of one model, the newest version last (`2` before `10`); perhaps none."""
    if not folder.is_dir():
        return ()
    found = [path.parent for path in folder.glob(f"*/{DIGEST_FILE}")]
    return tuple(sorted(found, key=lambda path: _version_order(path.name)))


def release_in_force(chosen: Path | None = None) -> Path:
    """The release folder that an installation uses: the one it chose, or the newest shipped one.

    One that was chosen is not looked at here: `read_release` does that.

    Raises:
        InvalidModel: If none was chosen and none is shipped.
    """
    if chosen is not None:
        return chosen
    shipped = list_releases(SHIPPED_MODEL)
    if not shipped:
        raise InvalidModel("model release: none is shipped; train one with `mpi train`")
    return shipped[-1]


def read_release(folder: Path) -> Release:
    """The release in this folder.

    Args:
        folder: `<model>/<version>`, as `write_release` makes it.

    Raises:
        InvalidModel: If a file is missing or unreadable, or the digest does not match.
    """
    contents = {name: _read_file(folder, name) for name in _DIGESTED}
    digest = _digest(contents)
    stated = _read_file(folder, DIGEST_FILE).decode("ascii", "replace").strip()
    if stated != digest:
        raise InvalidModel(
            f"model release {folder.name}: the digest does not match the files; "
            "restore them or train a new release"
        )
    try:
        return Release(
            version=folder.name,
            digest=digest,
            spec=json.loads(contents[PARAMETERS_FILE]),
            frequencies=_read_frequencies(contents[FREQUENCIES_FILE]),
            stop_list=frozenset(_read_columns(contents[STOP_LIST_FILE], "key")[0]),
        )
    except (ValueError, KeyError, pa.ArrowException) as error:
        raise InvalidModel(f"model release {folder.name}: a file cannot be understood") from error


def write_release(
    folder: Path,
    *,
    spec: Mapping[str, Any],
    frequencies: Mapping[str, Mapping[str, float]],
    stop_list: Collection[int] = (),
    card: str,
) -> str:
    """Writes a new release, whole or not at all, and gives its digest: 64 hexadecimal digits.

    Args:
        folder: `<models>/<model>/<version>`; must not exist.
        spec: The spec's tables with trained m, u, prior, thresholds, chance and unseen values.
        frequencies: Field -> value -> share, 0..1.
        stop_list: Blocking keys held by too many records.
        card: Markdown for people; a line with the digest is added.

    Raises:
        Conflict: If the folder exists: releases are immutable.
        StorageUnavailable: If it cannot be written (no space, no permission).
    """
    if folder.exists():
        raise Conflict(f"model release {folder.name}: exists already, and releases never change")
    contents = {
        PARAMETERS_FILE: _json_bytes(spec),
        FREQUENCIES_FILE: _frequencies_bytes(frequencies),
        STOP_LIST_FILE: _parquet_bytes({"key": pa.array(sorted(stop_list), pa.int64())}),
    }
    digest = _digest(contents)
    contents[CARD_FILE] = f"{card.rstrip()}\n\nDigest: `{digest}`\n".encode()
    contents[DIGEST_FILE] = f"{digest}\n".encode()
    _write_folder(folder, contents)
    return digest


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, content in contents.items():
            (unfinished / name).write_bytes(content)
        os.rename(unfinished, folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise StorageUnavailable(
            f"model release {folder.name}: cannot be written ({error.strerror})"
        ) from error


def _read_file(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InvalidModel(
            f"model release {folder.name}: {name} cannot be read ({error.strerror})"
        ) from error


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = sha256()
    for name in _DIGESTED:
        digest.update(f"{name} {len(contents[name])}\n".encode())
        digest.update(contents[name])
    return digest.hexdigest()


def _json_bytes(spec: Mapping[str, Any]) -> bytes:
    return (json.dumps(spec, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _frequencies_bytes(frequencies: Mapping[str, Mapping[str, float]]) -> bytes:
    rows = sorted(
        (field, value, share)
        for field, shares in frequencies.items()
        for value, share in shares.items()
    )
    return _parquet_bytes(
        {
            "field": pa.array([row[0] for row in rows], pa.string()),
            "value": pa.array([row[1] for row in rows], pa.string()),
            "frequency": pa.array([row[2] for row in rows], pa.float64()),
        }
    )


def _read_frequencies(content: bytes) -> dict[str, dict[str, float]]:
    frequencies: dict[str, dict[str, float]] = {}
    columns = _read_columns(content, "field", "value", "frequency")
    for field, value, share in zip(*columns, strict=True):
        frequencies.setdefault(field, {})[value] = share
    return frequencies


def _parquet_bytes(columns: Mapping[str, pa.Array]) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), buffer, compression="zstd")
    return bytes(buffer.getvalue())


def _read_columns(content: bytes, *names: str) -> list[list[Any]]:
    table = pq.read_table(pa.BufferReader(content))
    return [table.column(name).to_pylist() for name in names]


def _version_order(name: str) -> tuple[tuple[int, str], ...]:
    """Numbers by value, other text by itself."""
    return tuple(
        (int(part) if part.isdigit() else -1, part) for part in re.findall(r"\d+|\D+", name)
    )

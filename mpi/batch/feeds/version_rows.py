"""Record versions as rows of a table: how feeds, stores and workers pass them on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import orjson
import pyarrow as pa

from mpi.domain.identifiers import RecordKey
from mpi.domain.records import RecordVersion, VersionVerdict, demographics_from_dict

VERSION_SCHEMA: Final = pa.schema(
    [
        ("source", pa.string()),
        ("local_id", pa.string()),
        ("event_at", pa.timestamp("us", tz="UTC")),
        ("sequence", pa.int64()),
        ("digest", pa.string()),
        ("content", pa.string()),
        ("is_error", pa.bool_()),
        ("verdict", pa.string()),
    ]
)
"""`content` is the canonical JSON of the demographics, of which `digest` is the digest."""


def version_from_row(
    *,
    source: str,
    local_id: str,
    event_at: datetime,
    sequence: int,
    digest: str,
    content: str,
    is_error: bool,
    verdict: str | None,
) -> RecordVersion:
    """The version that a row of `VERSION_SCHEMA` holds."""
    return RecordVersion(
        key=RecordKey(source, local_id),
        demographics=demographics_from_dict(orjson.loads(content)),
        event_at=event_at.astimezone(UTC),
        sequence=sequence,
        digest=digest,
        is_entered_in_error=is_error,
        verdict=VersionVerdict(verdict) if verdict else None,
    )

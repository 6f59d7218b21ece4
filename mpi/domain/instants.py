"""Points in time as callers write them."""

from __future__ import annotations

from datetime import UTC, datetime

from mpi.errors import InvalidInput


def parse_instant(text: object, *, field: str) -> datetime:
    """The instant that ISO 8601 text names, in UTC, to the microsecond.

    Args:
        text: What a caller sent, whatever it is.
        field: Its name, for the error.

    Raises:
        InvalidInput: If it is no such text, or leaves its time zone to be guessed.
    """
    try:
        if isinstance(text, str):
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(f"{field}: must be ISO 8601 with a time zone, such as 2026-03-03T09:00:00Z")

"""The one place that reads the clock, so that tests and replays can set it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The machine's instant, in UTC, to the microsecond."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until `at` is set; for tests and replays."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The instant that it was set to, as it was given."""
        return self.at

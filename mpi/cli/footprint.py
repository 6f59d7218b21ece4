"""How much memory a run took, as the operating system counted it."""

from __future__ import annotations

import resource
import sys
from typing import Final

_UNITS_PER_MIB: Final = 1024 * 1024 if sys.platform == "darwin" else 1024
"""getrusage counts bytes on macOS and KiB elsewhere."""


def peak_memory_mib(*, workers_count: int) -> int:
    """The most memory that this process and its workers can have held together.

    Args:
        workers_count: Worker processes that ran at one time. The system keeps the peak of the
            largest one only, so each counts as that: the figure is an upper bound.

    Source: getrusage(2), ru_maxrss.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round((own + workers_count * largest_child) / _UNITS_PER_MIB)

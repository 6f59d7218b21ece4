"""How much memory a run took, as the operating system counted it."""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

from mpi.config import Settings

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


def workers_count(settings: Settings) -> int:
    """Worker processes that batch work uses under these settings."""
    return settings.workers_count or len(os.sched_getaffinity(0))


def cost_of_work(seconds: float, settings: Settings) -> str:
    """One line for a terminal: how many seconds batch work took, and how much memory at most."""
    memory_mib = peak_memory_mib(workers_count=workers_count(settings))
    return f"Took {seconds:.0f} s and at most {memory_mib:,} MiB of memory."

"""Medians and spreads: one run says nothing on a machine that does other things too."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import TypeVar

Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several runs, in the unit of the values: seconds, or things in a second."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.least:.4g} to {self.most:.4g})"


def spread(values: Sequence[float]) -> Spread:
    """The median and the extremes of at least one value."""
    return Spread(median(values), min(values), max(values))


def fsync_ms(folder: Path, *, times: int = 50) -> float:
    """The median time in which this disk makes 4 KiB durable: no commit can be faster."""
    with tempfile.TemporaryFile(dir=folder) as file:

        def write_through() -> float:
            began = perf_counter()
            os.write(file.fileno(), bytes(4_096))
            os.fdatasync(file.fileno())
            return (perf_counter() - began) * 1e3

        return median(write_through() for _ in range(times))


def timed_runs(work: Callable[[], object], *, repeats: int) -> list[float]:
    """Seconds of each run, after one that warms up and is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        gc.collect()
        began = perf_counter()
        work()
        seconds.append(perf_counter() - began)
    return seconds


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of single calls, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    calls: int


def latencies_of(
    ask: Callable[[Asked], object], questions: Sequence[Asked], *, warm_up: int = 50
) -> Latencies:
    """Each question is asked once, in order, after the first few have been asked to warm up.

    Percentiles of the milliseconds that one call takes, by the clock on the wall.
    """
    for question in questions[:warm_up]:
        ask(question)
    taken = []
    for question in questions:
        began = perf_counter_ns()
        ask(question)
        taken.append((perf_counter_ns() - began) / 1e6)
    return latencies_from(taken)


def latencies_from(taken_ms: Sequence[float]) -> Latencies:
    """Of calls that took so long; all zero if there was none."""
    ordered = sorted(taken_ms) or [0.0]

    def at(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    return Latencies(at(0.50), at(0.95), at(0.99), len(taken_ms))

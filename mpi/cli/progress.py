"""Shows a bulk run's phases in a terminal, and collects their seconds.

Bars go to standard error, so that standard output stays an answer that a program can read. Where
standard error is a file, each finished phase is one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TaskProgressColumn as ShareColumn

from mpi.batch.progress import Phase


class ShownProgress:
    """A `mpi.batch.progress.Progress` that people can watch."""

    def __init__(self, console: Console | None = None) -> None:
        self.seconds: dict[str, float] = {}
        """Phase -> seconds it took, rounded to a hundredth, in order of their beginning."""
        self._console = console or Console(stderr=True)

    @contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[Phase]:
        """A phase with its bar; at its end one line of how many seconds it took."""
        began = perf_counter()
        with self._watched(name, total) as phase:
            yield phase
        seconds = perf_counter() - began
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 2)
        self._console.print(f"  {name:<32} {seconds:7.1f} s", style="dim", highlight=False)

    @contextmanager
    def _watched(self, name: str, total: int | None) -> Iterator[Phase]:
        columns = (SpinnerColumn(), TextColumn(f"{name:<32}"), BarColumn(), ShareColumn())
        with Progress(
            *columns,
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        ) as bars:
            yield _ShownPhase(bars, bars.add_task(name, total=total))


class _ShownPhase:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, count: int = 1) -> None:
        self._bars.advance(self._task, count)

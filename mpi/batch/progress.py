"""How long work tells what it is doing, without knowing who watches.

A bulk load takes minutes; a terminal shows bars, a benchmark collects seconds, a test wants none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Phase(Protocol):
    """One phase under way."""

    def advance(self, count: int = 1) -> None:
        """So many more of the phase's total are done (rows, bytes, components...)."""
        ...


class Progress(Protocol):
    """Whoever watches. Phases do not nest; a name that comes twice is one phase continued."""

    def phase(self, name: str, total: int | None = None) -> AbstractContextManager[Phase]:
        """Begin a phase, in words for people (`score pairs`).

        Args:
            name: Lower case, an imperative; also its key where seconds are collected.
            total: How many steps `advance` will add up to; None if that is not known.
        """
        ...


class _SilentPhase:
    def advance(self, count: int = 1) -> None:
        """Nobody watches."""


class SilentProgress:
    """Nobody watches."""

    @contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[Phase]:  # noqa: ARG002
        """A phase of which nobody is told."""
        yield _SilentPhase()

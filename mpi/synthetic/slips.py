"""Applies errors to columns of records: which records, by whose error level, and how.

Errors are never independent.  Every rate is multiplied, as odds, by the level of the source, of
the person (age, name origin, chance) and of the profile, and duplicates are worse than first
records: they exist because somebody was not recognised.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from mpi.synthetic.corruption import Slip
from mpi.synthetic.holders import chance, systematic_sample
from mpi.synthetic.people import Flags, Floats, Integers, Texts
from mpi.synthetic.sources import error_rates


class Slips:
    """Draws and applies the errors of one source's records; arrays have one entry a record."""

    def __init__(self, level: Floats, random: Generator) -> None:
        self.level = level
        """Factor on the odds of each record's errors."""
        self.random = random

    def apart(self) -> Slips:
        """The same levels with a generator of its own: what it draws moves nothing else."""
        return Slips(self.level, self.random.spawn(1)[0])

    def hit(self, group: str, kind: str, among: Flags | None = None) -> Integers:
        """Indexes of the records that this error befalls, ascending.

        Args:
            group: Table of `errors.toml`, such as `birth`.
            kind: Error in that table.
            among: Only records whose flag is set, if given; one for each record.
        """
        share = chance(error_rates()[group][kind], self.level)
        if among is not None:
            share = np.where(among, share, 0.0)
        return systematic_sample(share, self.random)

    def apply(self, column: Texts, at: Integers, slip: Slip) -> None:
        """Changes the texts at these indexes in place; missing ones stay missing.

        Args:
            column: One text, or None, for each record.
            at: Indexes into it.
            slip: How a text goes wrong (see `mpi.synthetic.corruption`).
        """
        kinds = self._spread(len(at)).tolist()
        places = self._spread(len(at)).tolist()
        column[at] = [
            slip(text, kind, place) if text else text
            for text, kind, place in zip(column[at], kinds, places, strict=True)
        ]

    def befall(self, column: Texts, group: str, kind: str, slip: Slip) -> Integers:
        """Draws and applies one error; answers where it hit.

        Args:
            column: One text, or None, for each record; changed in place.
            group: See `hit`.
            kind: See `hit`.
            slip: See `apply`.
        """
        at = self.hit(group, kind, column.astype(bool))
        self.apply(column, at, slip)
        return at

    def _spread(self, count: int) -> Floats:
        """Numbers in [0, 1), evenly spread, in random order: proportions of kinds come out."""
        spread: Floats = (self.random.permutation(count) + self.random.random(count)) / count
        return spread

    def pick(self, texts: Texts, count: int) -> Texts:
        """`count` of these texts, equally likely and perhaps more than once; one entry each."""
        drawn: Texts = texts[self.random.integers(0, len(texts), count)]
        return drawn

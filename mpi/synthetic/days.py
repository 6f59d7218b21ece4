"""Days since 1970-01-01 as ISO text, looked up rather than composed: there are few of them."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIRST_DAY: Final = int(np.datetime64("1890-01-01", "D").astype(np.int64))
LAST_DAY: Final = int(np.datetime64("2030-01-01", "D").astype(np.int64))


def iso_dates(days: NDArray[np.int64]) -> NDArray[np.object_]:
    """`YYYY-MM-DD` (ISO 8601) for each day between 1890 and 2030, counted from 1970-01-01.

    An earlier or later day counts as the first or the last of these.
    """
    texts: NDArray[np.object_] = _table()[np.clip(days, FIRST_DAY, LAST_DAY) - FIRST_DAY]
    return texts


@cache
def _table() -> NDArray[np.object_]:
    days = np.arange(FIRST_DAY, LAST_DAY + 1).astype("datetime64[D]")
    return np.datetime_as_string(days).astype(object)

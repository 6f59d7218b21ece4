"""What an estimate makes of the patterns that occur, as a table to join the pairs with."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from mpi.batch.files.kinds import Estimate, kind_bits
from mpi.batch.files.patterns import Patterns, decode_patterns
from mpi.linkage.model import Model


def score_patterns(
    connection: duckdb.DuckDBPyConnection, model: Model, estimate: Estimate, *, table: str
) -> None:
    """The table `pattern_score` (pattern, is_same_source, match_, stranger_, relative_bits).

    One row for each pattern of a table made by `make_patterns`. A pair's weight is its match bits
    less the log2 of the sum of the others, strangers' less the adjustment by frequencies.
    """
    columns = connection.execute(
        f"select pattern, is_same_source from {table} group by all order by all"
    ).fetchnumpy()
    numbers = np.asarray(columns["pattern"], np.int64)
    is_same_source = np.asarray(columns["is_same_source"], bool)
    patterns = Patterns(
        levels=decode_patterns(model, numbers),
        adjustment_bits=np.zeros(len(numbers)),
        is_same_source=is_same_source,
        counts=np.ones(len(numbers)),
    )
    bits = kind_bits(estimate, patterns)
    scores = pa.table(
        {
            "pattern": numbers,
            "is_same_source": is_same_source,
            "match_bits": bits.matches,
            "stranger_bits": bits.strangers,
            "relative_bits": bits.relatives,
        }
    )
    connection.register("scores", scores)
    connection.execute("create or replace temp table pattern_score as select * from scores")
    connection.unregister("scores")

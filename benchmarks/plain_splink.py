"""Plain Splink with a fixed tutorial-style model: the yardstick of bulk work.

Nothing is trained, so that the yardstick stays the same from run to run; m and u are those that the
tutorial's comparisons end up with on people. Predict and cluster are what is timed.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from mpi.storage.bulk import read_table
from mpi.storage.engine import Store

PRIOR: Final = 1.0e-6
PREDICT_PROBABILITY: Final = 0.5
CLUSTER_PROBABILITY: Final = 0.95
"""Probabilities: that two random records match; from which a pair is kept; and is clustered."""
COLUMNS: Final = (
    "given_name", "family_name", "birth_date", "postcode", "sex", "phone", "email", "nhs_number",
)  # fmt: skip
RULES: Final = (
    ("nhs_number",),
    ("given_name", "family_name", "birth_date"),
    ("family_name", "birth_date"),
    ("given_name", "birth_date"),
    ("birth_date", "postcode"),
    ("given_name", "family_name", "postcode"),
)


def settings() -> SettingsCreator:
    """The model: comparisons by column, blocking rules, fixed shares."""
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record",
        probability_two_random_records_match=PRIOR,
        comparisons=[
            _fixed(cl.JaroWinklerAtThresholds("given_name", [0.92, 0.88]),
                   (0.9, 0.03, 0.02, 0.05), (0.006, 0.002, 0.004, 0.988)),
            _fixed(cl.JaroWinklerAtThresholds("family_name", [0.92, 0.88]),
                   (0.9, 0.02, 0.01, 0.07), (0.001, 0.0005, 0.001, 0.9975)),
            _fixed(cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
                   (0.97, 0.015, 0.005, 0.01), (9e-5, 0.0012, 0.012, 0.98671)),
            _fixed(cl.DamerauLevenshteinAtThresholds("postcode", [1]),
                   (0.7, 0.03, 0.27), (1e-4, 0.0008, 0.9991)),
            _fixed(cl.ExactMatch("sex"), (0.99, 0.01), (0.5, 0.5)),
            _fixed(cl.ExactMatch("phone"), (0.6, 0.4), (1e-4, 0.9999)),
            _fixed(cl.ExactMatch("email"), (0.7, 0.3), (1e-4, 0.9999)),
            _fixed(cl.ExactMatch("nhs_number"), (0.99, 0.01), (1e-5, 0.99999)),
        ],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in RULES],
    )  # fmt: skip


def _fixed(comparison: Any, m: tuple[float, ...], u: tuple[float, ...]) -> Any:
    return comparison.configure(m_probabilities=list(m), u_probabilities=list(u))


def read_people(connection: duckdb.DuckDBPyConnection, store: Store) -> int:
    """The table `people` of a store's standardised records; gives how many there are."""
    stored = read_table(store, "source_record", ("number", "comparison"), "state = 'live'")
    connection.register("stored", stored)
    fields = ", ".join(f"comparison ->> '{name}' as {name}" for name in COLUMNS)
    connection.execute(
        f"create or replace table people as select number as record, {fields} from stored"
    )
    connection.unregister("stored")
    return stored.num_rows


def predict_and_cluster(connection: duckdb.DuckDBPyConnection) -> int:
    """Splink's predict and cluster on the table `people`; gives the number of edges."""
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register("people"), settings())
    logging.getLogger("splink").setLevel(logging.ERROR)
    scored = linker.inference.predict(
        threshold_match_probability=PREDICT_PROBABILITY, warning_mode="never"
    )
    linker.clustering.cluster_pairwise_predictions_at_threshold(
        scored, threshold_match_probability=CLUSTER_PROBABILITY
    )
    ((edges,),) = connection.execute(f"select count(*) from {scored.physical_name}").fetchall()
    api.delete_tables_created_by_splink_from_db()  # Else the next run has less memory than this.
    return int(edges)

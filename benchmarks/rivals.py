"""What a user would take instead: Splink as its tutorial has it, and `recordlinkage` with ECM.

Neither is tuned to a file. Splink gets comparisons by column, blocking rules and two rounds of EM
as in its tutorial on people, and clusters at probability 0.95; `recordlinkage` gets the comparisons
and blocking of its FEBRL example, and connected components of what its classifier accepts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from benchmarks.cases.table import LabelledFile
from mpi.batch.groups import connected_components

CLUSTER_PROBABILITY: Final = 0.95
MATCHING_SAMPLE_RECALL: Final = 0.7
RANDOM_PAIRS: Final = 1e6
"""Probability from which pairs are clustered; recall, 0..1, that the surest rules are taken to
have; pairs from which u, agreement by chance, is estimated."""
COMPARISONS: Final[dict[str, Callable[[], Any]]] = {
    "given_name": lambda: cl.NameComparison("given_name"),
    "family_name": lambda: cl.NameComparison("family_name"),
    "date_of_birth": lambda: cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
    "postcode": lambda: cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
    "address": lambda: cl.JaroWinklerAtThresholds("address", [0.9, 0.8]),
    "town": lambda: cl.JaroWinklerAtThresholds("town", [0.9]),
    "sex": lambda: cl.ExactMatch("sex"),
    "phone": lambda: cl.ExactMatch("phone"),
    "email": lambda: cl.EmailComparison("email"),
    "nhs_number": lambda: cl.DamerauLevenshteinAtThresholds("nhs_number", [1]),
}
"""Column -> how the tutorial would compare it; bounds are slips, or similarity 0..1.

Jaro-Winkler and Damerau-Levenshtein: sources in `mpi.linkage.comparators`."""
RULES: Final = (
    ("given_name", "family_name"),
    ("family_name", "date_of_birth"),
    ("given_name", "date_of_birth"),
    ("given_name", "postcode"),
    ("family_name", "postcode"),
    ("date_of_birth", "postcode"),
    ("nhs_number",),
    ("phone",),
    ("email",),
)


def splink_persons(file: LabelledFile) -> list[int]:
    """Group of each row, by plain Splink on DuckDB."""
    table = _table(file)
    columns = [name for name in COMPARISONS if name in table.column_names]
    rules = [block_on(*rule) for rule in RULES if set(rule) <= set(columns)]
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record",
        comparisons=[COMPARISONS[name]() for name in columns],
        blocking_rules_to_generate_predictions=rules,
    )
    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.execute("create table people as select * from rows")
        api = DuckDBAPI(connection=connection)
        linker = Linker(api.register("people"), settings)
        logging.getLogger("splink").setLevel(logging.ERROR)
        _train(linker, rules)
        scored = linker.inference.predict(threshold_match_probability=CLUSTER_PROBABILITY)
        edges = connection.execute(
            f"select record_l, record_r from {scored.physical_name}"
        ).fetchnumpy()
    return _components(len(file.rows), edges["record_l"], edges["record_r"])


def _train(linker: Linker, rules: Sequence[Any]) -> None:
    training = linker.training
    training.estimate_probability_two_random_records_match(rules[:2], recall=MATCHING_SAMPLE_RECALL)
    training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=1)
    for rule in rules[:3]:
        training.estimate_parameters_using_expectation_maximisation(rule)


def ecm_persons(file: LabelledFile) -> list[int]:
    """Group of each row, by the ECM classifier of `recordlinkage`."""
    import pandas as pd
    import recordlinkage

    frame = pd.DataFrame([dict(row) for row in file.rows]).replace("", None)
    indexer = recordlinkage.Index()
    for rule in RULES[:6]:
        if set(rule) <= set(frame.columns):
            indexer.block(list(rule))
    pairs = indexer.index(frame)
    compare = recordlinkage.Compare()
    for name in ("given_name", "family_name", "address"):
        if name in frame.columns:
            compare.string(name, name, method="jarowinkler", threshold=0.85)
    for name in ("date_of_birth", "postcode", "town", "sex", "phone", "email", "nhs_number"):
        if name in frame.columns:
            compare.exact(name, name)
    features = compare.compute(pairs, frame)
    features = features.loc[:, features.nunique() > 1]
    links = recordlinkage.ECMClassifier().fit_predict(features)
    left, right = (np.asarray(links.get_level_values(level), np.int64) for level in (0, 1))
    return _components(len(frame), left, right)


def _table(file: LabelledFile) -> pa.Table:
    """The file's columns that hold something, in small letters; empty cells are NULL."""
    columns: dict[str, Any] = {"record": list(range(len(file.rows)))}
    for name in file.rows[0]:
        cells = [row[name].strip().lower() or None for row in file.rows]
        if name in COMPARISONS and any(cells):
            columns[name] = cells
    return pa.table(columns)


def _components(count: int, left: Any, right: Any) -> list[int]:
    ends = (np.asarray(side, np.int64) for side in (left, right))
    groups: list[int] = connected_components(count, *ends).tolist()
    return groups

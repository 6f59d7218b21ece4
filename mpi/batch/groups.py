"""Edges of a whole region to groups of records, with the same result as one component at a time.

Most components are plain: nothing that is known of their records speaks against their being one
person, so no veto and no ambiguity can arise in them, and the component is the group. These are
found in bulk; `mpi.linkage.partition` judges the others one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mpi.batch.bulk_tables import comparison_records
from mpi.batch.progress import Progress
from mpi.domain.links import Decision, Edge
from mpi.domain.records import ComparisonRecord
from mpi.domain.tasks import TaskQuestion
from mpi.linkage.partition import PartitionRules, partition

Numbers = npt.NDArray[np.int64]
COMPONENTS_AT_ONCE: Final = 20_000
"""Components judged in one go; bounds the memory that their records take."""


@dataclass(slots=True)
class Grouping:
    """Every record's group, one entry for each, and the questions that the evidence leaves open.

    A group is named by the smallest record number in it; that name lives no longer than the run.
    """

    records: Numbers
    groups: Numbers
    """Parallel to `records`."""
    questions: list[TaskQuestion]


def connected_components(nodes_count: int, left: Numbers, right: Numbers) -> Numbers:
    """The smallest node of each node's component, one entry for each node.

    Args:
        nodes_count: Nodes are 0 to this, exclusive.
        left: One end of each edge.
        right: The other end, parallel to `left`.

    Source: hooking and pointer jumping, Shiloach & Vishkin 1982, DOI 10.1016/0196-6774(82)90008-6.
    """
    parent = np.arange(nodes_count, dtype=np.int64)
    while True:
        left_root, right_root = parent[left], parent[right]
        apart = left_root != right_root
        if not apart.any():
            return parent
        left, right = left[apart], right[apart]
        low = np.minimum(left_root[apart], right_root[apart])
        high = np.maximum(left_root[apart], right_root[apart])
        np.minimum.at(parent, high, low)
        while True:
            grandparent = parent[parent]
            if np.array_equal(grandparent, parent):
                break
            parent = grandparent


def group_records(
    connection: duckdb.DuckDBPyConnection,
    *,
    rules: PartitionRules,
    decisions: Sequence[Decision] = (),
    sources: str | None = None,
    progress: Progress,
) -> Grouping:
    """Partition the tables `records` and `edge` (left_record, right_record, match_weight_bits).

    Args:
        connection: Holds both tables; a table `component` (record, component, part) is left in it.
        rules: Thresholds and vetoes of the model.
        decisions: Decisions in force; record numbers as in `records`.
        sources: Table with the columns record and source, of every record; with it, weak evidence
            within one source is asked about as a duplicate there.
        progress: Told of each component judged.
    """
    records = _numbers(connection, "select record from records order by record")
    edges = connection.execute(
        "select left_record, right_record, match_weight_bits from edge"
    ).fetchnumpy()
    left = np.searchsorted(records, edges["left_record"])
    right = np.searchsorted(records, edges["right_record"])
    is_link = edges["match_weight_bits"] >= rules.link_bits
    groups = connected_components(len(records), left[is_link], right[is_link])
    # Review edges and decisions join components too: their questions concern both ends.
    decided = [np.searchsorted(records, ends) for ends in _decision_ends(decisions, records)]
    components = connected_components(
        len(records), np.concatenate([left, *decided[:1]]), np.concatenate([right, *decided[1:]])
    )
    is_open = np.zeros(len(records), dtype=bool)
    is_open[components[left[groups[left] != groups[right]]]] = True
    is_open[components[np.concatenate(decided or [left[:0]])]] = True
    _register_components(connection, records, components)
    conflicting = _numbers(connection, _CONFLICTING_SQL, [rules.component_records_max])
    is_open[np.searchsorted(records, conflicting)] = True
    judged, questions = _judge_components(
        connection, records[np.flatnonzero(is_open)], decisions, rules, sources, progress
    )
    group_names = records[groups]
    group_names[np.searchsorted(records, judged[0])] = judged[1]
    return Grouping(records, group_names, questions)


def _numbers(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()
) -> Numbers:
    (column,) = connection.execute(sql, parameters).fetchnumpy().values()
    return np.asarray(column, dtype=np.int64)


def _decision_ends(decisions: Sequence[Decision], records: Numbers) -> tuple[Numbers, ...]:
    """Pairs that put the live records of each decision into one component; or nothing."""
    live = set(records.tolist())
    ends = [
        (members[0], other)
        for decision in decisions
        for members in [sorted((decision.left | decision.right) & live)]
        for other in members
    ]
    if not ends:
        return ()
    lefts, rights = zip(*ends, strict=True)
    return np.array(lefts, dtype=np.int64), np.array(rights, dtype=np.int64)


# A component is plain if nothing known of its records differs that a veto could read: then there
# is no veto, so no ambiguity either. Kept equal to `partition.is_clean` by test.
_CONFLICTING_SQL = """
select component from component join records using (record)
group by component
having count(distinct trusted_nhs_number) > 1 or count(distinct birth_date) > 1
    or count(distinct given_name) > 1 or count(distinct birth_order) > 1 or count(*) > ?
"""


def _register_components(
    connection: duckdb.DuckDBPyConnection, records: Numbers, components: Numbers
) -> None:
    named = pa.table({"record": records, "component": records[components]})
    connection.register("components", named)
    connection.execute("create or replace table component as select * from components")
    connection.unregister("components")


def _judge_components(
    connection: duckdb.DuckDBPyConnection,
    components: Numbers,
    decisions: Sequence[Decision],
    rules: PartitionRules,
    sources: str | None,
    progress: Progress,
) -> tuple[tuple[list[int], list[int]], list[TaskQuestion]]:
    """Records of these components, the smallest record of each one's group, and the questions."""
    members: list[int] = []
    names: list[int] = []
    questions: list[TaskQuestion] = []
    with progress.phase("judge components", len(components)) as phase:
        for start in range(0, len(components), COMPONENTS_AT_ONCE):
            chunk = components[start : start + COMPONENTS_AT_ONCE]
            records, edges = _load_components(connection, chunk)
            source = _load_sources(connection, sources, chunk) if sources else None
            result = partition(records, edges, decisions, rules, source=source)
            for group in result.groups:
                members.extend(group)
                names.extend([min(group)] * len(group))
            questions.extend(result.questions)
            phase.advance(len(chunk))
    return (members, names), questions


def _load_components(
    connection: duckdb.DuckDBPyConnection, components: Numbers
) -> tuple[Mapping[int, ComparisonRecord], list[Edge]]:
    connection.register("chosen", pa.table({"component": components}))
    chosen = "select record from component join chosen using (component)"
    records = comparison_records(connection, f"record in ({chosen})")
    rows = connection.execute(
        f"""select left_record, right_record, match_weight_bits from edge
        where left_record in ({chosen})"""
    ).fetchall()
    connection.unregister("chosen")
    return records, [Edge(*row) for row in rows]


def _load_sources(
    connection: duckdb.DuckDBPyConnection, sources: str, components: Numbers
) -> Callable[[int], str]:
    connection.register("chosen", pa.table({"component": components}))
    rows = connection.execute(
        f"""select record, source from {sources}
        join component using (record) join chosen using (component)"""
    ).fetchall()
    connection.unregister("chosen")
    return dict(rows).__getitem__

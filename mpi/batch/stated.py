"""What stewards and sources stated and what still holds of it, for bulk work in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb

from mpi.domain.identifiers import NumberTrust
from mpi.domain.links import Decision, DecisionKind, SeenEvidence, VetoReason
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.number_statuses import trust_with_statuses


def read_trust(bulk: BulkTransaction, stated: NumberTrust) -> NumberTrust:
    """The model's trust with every disputed and superseded number of the store.

    Args:
        bulk: Of the store; its table `nhs_number_status` is read.
        stated: Trusted statuses and sources, of the model.
    """
    columns = ("nhs_number", "status", "successor")
    rows = bulk.read("nhs_number_status", columns, "retracted_at IS NULL").to_pylist()
    return trust_with_statuses(
        ((row["nhs_number"], row["status"], row["successor"]) for row in rows), stated
    )


def read_decisions(connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction) -> list[Decision]:
    """The decisions about records in force, in the order in which they apply.

    Args:
        connection: Holds the table `survivor` (record, survivor): what was decided of a merged
            record holds for its survivor.
        bulk: Of the store.
    """
    columns = ("number", "kind", "evidence_digest", "match_weight_bits", "veto")
    in_force = bulk.read("decision", columns, "retracted_at IS NULL").to_pylist()
    if not in_force:
        return []
    survivors = dict(connection.execute("select record, survivor from survivor").fetchall())
    sides: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in bulk.read("decision_record").to_pylist():
        record = row["record"]
        sides[row["decision"]].append(row | {"record": survivors.get(record, record)})
    named = [row for row in in_force if row["number"] in sides]
    return [_decision(row, sides[row["number"]]) for row in named]


def _decision(row: Mapping[str, Any], sides: list[Mapping[str, Any]]) -> Decision:
    veto = row["veto"]
    seen = SeenEvidence(row["match_weight_bits"], VetoReason(veto) if veto else None)
    return Decision(
        number=row["number"],
        kind=DecisionKind(row["kind"]),
        left=frozenset(side["record"] for side in sides if side["is_left"]),
        right=frozenset(side["record"] for side in sides if not side["is_left"]),
        disowned_numbers=frozenset(side["record"] for side in sides if side["is_number_disowned"]),
        seen=seen if row["evidence_digest"] else None,
    )

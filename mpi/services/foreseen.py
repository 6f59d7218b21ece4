"""What a version comes to as the only one of its record: worked out once, before a store is asked.

Most registrations are the first of a new record, and reading it takes a sixth of their time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import ComparisonRecord, RecordVersion, SourceRecord
from mpi.linkage.overlay import AcceptedVersions, accept_versions
from mpi.services.linkage_index import LinkageIndex
from mpi.standardise.record import standardise


@dataclass(frozen=True, slots=True)
class Compared:
    """A record as it is compared where numbers are trusted so, and the keys it is found by."""

    trust: NumberTrust
    comparison: ComparisonRecord
    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one version comes to if nothing else was said of the record, nor of its number."""

    judged: AcceptedVersions
    compared: Compared | None
    """None if it is a deletion."""
    version: RecordVersion


def foresee(index: LinkageIndex, version: RecordVersion) -> Foreseen:
    """What this version comes to, as far as the model and the version itself decide it."""
    judged = judged_versions(index, [version], None)
    trust = index.model.number_trust
    compared = compared_record(index, judged.record, trust, None) if judged.record else None
    return Foreseen(judged, compared, version)


def judged_versions(
    index: LinkageIndex, versions: Sequence[RecordVersion], foreseen: Foreseen | None
) -> AcceptedVersions:
    """What the versions of a record come to (see `accept_versions`), perhaps as foreseen."""
    if foreseen is not None and len(versions) == 1 and versions[0] is foreseen.version:
        return foreseen.judged
    return accept_versions(versions, index.model.number_trust, index.name_rule)


def compared_record(
    index: LinkageIndex, record: SourceRecord, trust: NumberTrust, foreseen: Foreseen | None
) -> Compared:
    """The record as it is compared under this trust, perhaps as foreseen."""
    if foreseen is not None and foreseen.judged.record is record:
        compared = foreseen.compared
        if compared is not None and compared.trust == trust:
            return compared
    comparison = standardise(record, trust)
    return Compared(trust, comparison, index.keys_of(comparison))

"""What a version comes to as the only one of its record: worked out once, and without a store.

Most registrations are the first of a new record, and this is a sixth of their work. On SQLite it is
done while others are committed, on PostgreSQL before the locks are taken.
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


class Foreseen:
    """What one version comes to if nothing else was said of the record, nor of its number.

    Worked out when somebody asks, or looks ahead; a statement that is known already needs none of
    it.
    """

    def __init__(self, index: LinkageIndex, version: RecordVersion) -> None:
        self.version = version
        self._index = index
        self._found: tuple[AcceptedVersions, Compared | None] | None = None

    @property
    def judged(self) -> AcceptedVersions:
        """The version accepted, as the only one."""
        return self.look_ahead()[0]

    @property
    def compared(self) -> Compared | None:
        """None if it is a deletion."""
        return self.look_ahead()[1]

    def look_ahead(self) -> tuple[AcceptedVersions, Compared | None]:
        """Both, worked out by whoever comes first; who comes at the same time gets the same."""
        if self._found is None:
            trust = self._index.model.number_trust
            judged = judged_versions(self._index, [self.version])
            record = judged.record
            compared = compared_record(self._index, record, trust) if record else None
            self._found = (judged, compared)
        return self._found


def judged_versions(
    index: LinkageIndex, versions: Sequence[RecordVersion], foreseen: Foreseen | None = None
) -> AcceptedVersions:
    """What the versions of a record come to (see `accept_versions`), perhaps as foreseen."""
    if foreseen is not None and _is_alone(foreseen.version, versions):
        return foreseen.judged
    return accept_versions(versions, index.model.number_trust, index.name_rule)


def compared_record(
    index: LinkageIndex,
    record: SourceRecord,
    trust: NumberTrust,
    foreseen: Foreseen | None = None,
) -> Compared:
    """The record as it is compared under this trust, perhaps as foreseen."""
    if foreseen is not None and _is_alone(foreseen.version, record.versions):
        compared = foreseen.compared
        if compared is not None and compared.trust == trust:
            return compared
    comparison = standardise(record, trust)
    return Compared(trust, comparison, index.keys_of(comparison))


def _is_alone(version: RecordVersion, versions: Sequence[RecordVersion]) -> bool:
    return len(versions) == 1 and versions[0] is version

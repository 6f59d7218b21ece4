"""Golden records of persons whose records have changed, from what the store holds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpi.domain.golden import GoldenRecord, Teller, survivorship_of_contents
from mpi.domain.identifiers import PersonId
from mpi.services.linkage_index import LinkageIndex
from mpi.standardise.informative import is_informative
from mpi.storage.graph import StandingRecord
from mpi.storage.records import canonical_json
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import ToldContents, list_contents


def golden_records(
    unit: UnitOfWork,
    index: LinkageIndex,
    known: Mapping[int, StandingRecord],
    members: Mapping[PersonId, Sequence[int]],
) -> dict[PersonId, str]:
    """The golden record of each person, as canonical JSON.

    Args:
        unit: Where to look.
        index: How far each source is trusted.
        known: The records, by number.
        members: Person -> its records.
    """
    versions = [known[record].live_version for records in members.values() for record in records]
    told = list_contents(unit, versions)
    return {
        person_id: canonical_json(_golden(index, [known[n] for n in records], told).to_dict())
        for person_id, records in members.items()
    }


def _golden(
    index: LinkageIndex, records: Sequence[StandingRecord], told: Mapping[int, ToldContents]
) -> GoldenRecord:
    contents, tellers = [], []
    for record in records:
        said, event_at, digest = told[record.live_version]
        contents.append(said)
        trust = index.trust.get(record.key.source, {})
        tellers.append(Teller(record.key, event_at, digest, trust))
    return survivorship_of_contents(contents, tellers, is_informative=is_informative)

"""Why are these two records one person's, or not?"""

from __future__ import annotations

from mpi.domain.identifiers import RecordKey
from mpi.domain.records import ComparisonRecord
from mpi.errors import UnknownRecord
from mpi.linkage.explain import explain
from mpi.linkage.vetoes import find_record_veto
from mpi.services.answers import PairExplanation
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.records import find_comparison, get_record
from mpi.storage.unit_of_work import UnitOfWork


def explain_records(
    unit: UnitOfWork, index: LinkageIndex, left: RecordKey, right: RecordKey
) -> PairExplanation:
    """The evidence of two live records, which sums to their weight, in bits, exactly.

    Args:
        unit: Where to look.
        index: The model in force.
        left: One record.
        right: Another one; which is left does not matter to the weight.

    Raises:
        UnknownRecord: If one of them does not exist or is not live.
    """
    left_compared, right_compared = _compared(unit, left), _compared(unit, right)
    return PairExplanation(
        left=left,
        right=right,
        explanation=explain(index.scorer, left_compared, right_compared),
        veto=find_record_veto(left_compared, right_compared, index.name_rule),
        person_ids=(get_record(unit, left).person_id, get_record(unit, right).person_id),
        link_bits=index.model.thresholds.link_bits,
        review_bits=index.model.thresholds.review_bits,
        model_digest=index.model.digest,
    )


def _compared(unit: UnitOfWork, key: RecordKey) -> ComparisonRecord:
    compared = find_comparison(unit, key)
    if compared is None:
        raise UnknownRecord("record: no live source record has this key")
    return compared

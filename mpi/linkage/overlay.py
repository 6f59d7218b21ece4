"""Telling a correction from another human on the same local id.

Hospitals reuse numbers and clerks overwrite records. A version that contradicts the one before it
as vetoes (c) to (e) do is held: the old one stays live until a steward says what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mpi.domain.identifiers import NumberTrust
from mpi.domain.links import VetoReason
from mpi.domain.records import ComparisonRecord, RecordVersion, SourceRecord, fold_versions
from mpi.linkage.vetoes import NameRule, find_record_veto
from mpi.standardise.record import standardise

OVERLAY_REASONS = frozenset(
    {VetoReason.CONFLICTING_DEMOGRAPHICS, VetoReason.CONFLICTING_BIRTH_DATES, VetoReason.TWINS}
)


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A version that is not live because it seems to be about another human."""

    version: RecordVersion
    reason: VetoReason


def accept_versions(
    versions: Sequence[RecordVersion], trust: NumberTrust, name_rule: NameRule
) -> tuple[SourceRecord, tuple[HeldVersion, ...]]:
    """The record that its versions make, without those that contradict what came before them.

    Args:
        versions: At least one version of one key, in any order; those entered in error left out.
        trust: Which NHS numbers are trusted.
        name_rule: When two given names may be one human's, of the model.
    """
    ordered = fold_versions(versions).versions
    accepted = [ordered[0]]
    held: list[HeldVersion] = []
    before = _alone(ordered[0], trust)
    for version in ordered[1:]:
        after = _alone(version, trust)
        reason = _contradiction(before, after, name_rule)
        if reason is None:
            accepted.append(version)
            before = after
        else:
            held.append(HeldVersion(version, reason))
    return SourceRecord(versions[0].key, tuple(accepted)), tuple(held)


def _alone(version: RecordVersion, trust: NumberTrust) -> ComparisonRecord:
    return standardise(SourceRecord(version.key, (version,)), trust)


def _contradiction(
    before: ComparisonRecord, after: ComparisonRecord, name_rule: NameRule
) -> VetoReason | None:
    # Most versions bring an address; where nothing that a veto reads has changed, none can speak.
    if (before.birth_date, before.given_name, before.birth_order) == (
        after.birth_date,
        after.given_name,
        after.birth_order,
    ):
        return None
    reason = find_record_veto(*_leave_out_clash(before, after), name_rule)
    if reason is VetoReason.TWINS and after.trusted_nhs_number == before.trusted_nhs_number:
        # On one local id a new name under the same number is a correction, not a twin.
        reason = reason if after.trusted_nhs_number is None else None
    return reason if reason in OVERLAY_REASONS else None


def _leave_out_clash(
    before: ComparisonRecord, after: ComparisonRecord
) -> tuple[ComparisonRecord, ComparisonRecord]:
    """Two numbers may be a correction, so they must not hide what else the versions contradict."""
    numbers = {before.trusted_nhs_number, after.trusted_nhs_number} - {None}
    if len(numbers) < 2:
        return before, after
    return replace(before, trusted_nhs_number=None), replace(after, trusted_nhs_number=None)

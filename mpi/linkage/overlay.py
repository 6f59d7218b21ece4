"""Telling a correction from another human on the same local id.

Hospitals reuse numbers and clerks overwrite records. A version that contradicts the one before it
as vetoes (c) to (e) do is held: the old one stays live until a steward says what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mpi.domain.identifiers import NumberTrust
from mpi.domain.links import VetoReason
from mpi.domain.records import (
    ComparisonRecord,
    RecordVersion,
    SourceRecord,
    VersionVerdict,
    fold_versions,
)
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


@dataclass(frozen=True, slots=True)
class AcceptedVersions:
    """What the versions of a record come to; a version in neither part is entered in error."""

    record: SourceRecord | None
    """Of the versions that count; None if the source's last word is that it deleted the record."""
    held: tuple[HeldVersion, ...]
    """Those that wait for a steward."""


def accept_versions(
    versions: Sequence[RecordVersion], trust: NumberTrust, name_rule: NameRule
) -> AcceptedVersions:
    """The record that its versions make, without those that contradict what came before them.

    A verdict accepts a version whatever it contradicts; one that says *another human* drops the
    versions before it. One that the source itself calls an error is not asked about. After a
    deletion nothing is live that could be contradicted, so the next version begins anew, with the
    history before the deletion unless it contradicts that.

    Args:
        versions: At least one version of one record, in any order.
        trust: Which NHS numbers are trusted. Disputed and superseded ones count as stated here:
            else a word about a number that a record has long left would change what it says.
        name_rule: When two given names may be one human's, of the model.
    """
    stated = NumberTrust(statuses=trust.statuses, sources=trust.sources)
    accepted: list[RecordVersion] = []
    held: list[HeldVersion] = []
    is_deleted = False
    for version in fold_versions(versions).versions:
        if version.is_deletion:
            is_deleted = True
            continue
        reason = _objection(accepted, version, stated, name_rule)
        if version.verdict is VersionVerdict.ANOTHER_HUMAN or (reason and is_deleted):
            accepted, held, reason = [], [], None
        if reason is None or version.verdict is VersionVerdict.CORRECTION:
            accepted.append(version)
            is_deleted = False
        elif not version.is_entered_in_error:
            held.append(HeldVersion(version, reason))
    if is_deleted or not accepted:
        return AcceptedVersions(None, ())
    return AcceptedVersions(SourceRecord(versions[0].key, tuple(accepted)), tuple(held))


def _objection(
    accepted: Sequence[RecordVersion],
    version: RecordVersion,
    trust: NumberTrust,
    name_rule: NameRule,
) -> VetoReason | None:
    """Why a version seems to be about another human than the last one accepted."""
    if not accepted or accepted[-1].digest == version.digest:
        return None
    return _contradiction(_alone(accepted[-1], trust), _alone(version, trust), name_rule)


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

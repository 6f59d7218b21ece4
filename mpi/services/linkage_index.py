"""The model as a service uses it: compiled once, shared by every request.

The same standardiser, blocking and scorer as in bulk, so that an answer given now is what a load of
the same record would find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mpi.config import SourceSystem
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import ComparisonRecord
from mpi.errors import Unavailable
from mpi.linkage.blocking import BlockingKeys, compile_blocking
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.partition import PartitionRules, partition_rules
from mpi.linkage.scorer import Scorer, compile_scorer
from mpi.linkage.vetoes import NameRule, compile_name_rule
from mpi.standardise.numbers import standardise_nhs_number
from mpi.standardise.record import standardise_demographics
from mpi.storage.models import find_number_in_force, find_release_in_force
from mpi.storage.number_statuses import number_trust_for
from mpi.storage.releases import Release
from mpi.storage.unit_of_work import UnitOfWork

QUESTION_SOURCE: Final = "question"
"""Whoever asks about an NHS number has it from the person or from a record, so it is trusted here;
at worst a veto makes the answer more careful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkageIndex:
    """One release, ready for use; holds no state, so any number of threads share it."""

    model: Model
    scorer: Scorer
    keys_of: BlockingKeys
    """The blocking keys of a comparison record."""
    name_rule: NameRule
    rules: PartitionRules
    question_trust: NumberTrust
    """As the model trusts numbers, and those of `QUESTION_SOURCE` whatever their status."""
    trust: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Source -> field -> how far it is trusted, 0..100; golden records ask for it."""
    mapping_digests: Mapping[str, str] = field(default_factory=dict)
    """Source -> digest of its mapping: the sources that may register records."""


def compile_linkage_index(
    release: Release, sources: Mapping[str, SourceSystem] | None = None
) -> LinkageIndex:
    """Compile a release; once for a process, because it takes a while.

    Args:
        release: What to compile.
        sources: The source systems of the installation; a service that only reads needs none.

    Raises:
        InvalidModel: If its spec is malformed.
    """
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    stated = model.number_trust
    known = sources or {}
    return LinkageIndex(
        model=model,
        scorer=compile_scorer(model, release.frequencies),
        keys_of=compile_blocking(model.blocking, release.stop_list),
        name_rule=compile_name_rule(model.given_names_agree),
        rules=partition_rules(model),
        trust={name: dict(source.trust) for name, source in known.items()},
        mapping_digests={name: source.digest for name, source in known.items()},
        question_trust=NumberTrust(
            statuses=stated.statuses, sources=stated.sources | {QUESTION_SOURCE}
        ),
    )


def require_release_in_force(unit: UnitOfWork, digest: str) -> int:
    """The store's number of this release, unless its edges were made with another one.

    Args:
        unit: Where to look.
        digest: 64 hexadecimal digits of the release in use.

    Raises:
        Unavailable: If the store was linked with another release, or holds nothing yet.
    """
    number = find_number_in_force(unit, digest)
    if number is not None:
        return number
    if find_release_in_force(unit) is None:
        raise Unavailable("store: nothing was loaded yet")
    raise Unavailable("store: it was linked with another model release than the one in use")


def compared_question(
    unit: UnitOfWork, index: LinkageIndex, demographics: Demographics
) -> ComparisonRecord:
    """What is asked, as it is compared; a disputed number is dropped, a superseded one replaced.

    Nothing is refused: what says nothing is a missing value.
    """
    trust, number = index.question_trust, standardise_nhs_number(demographics.nhs_number)
    if number is not None:
        trust = number_trust_for(unit, trust, number)
    return standardise_demographics(QUESTION_SOURCE, demographics, (), trust)

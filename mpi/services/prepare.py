"""What a store must know before anything can be registered in it."""

from __future__ import annotations

import gc
from collections.abc import Mapping

from mpi.clock import Clock
from mpi.config import SourceSystem
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.engine import Store
from mpi.storage.models import find_release_in_force, put_release_in_force
from mpi.storage.sources import StoredSource, put_sources
from mpi.storage.unit_of_work import writing


def rest_garbage_collector() -> None:
    """Let Python's collector of circles leave alone what a service keeps for its lifetime.

    Models, frequencies and caches are millions of objects without a circle; looking at them again
    and again takes a tenth of the time of a busy service. To be called once all is compiled.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def prepare_store(
    store: Store, index: LinkageIndex, sources: Mapping[str, SourceSystem], *, clock: Clock
) -> None:
    """Make the installation's source systems known, and a release in force if there is none.

    A release that is in force stays: another one comes in by `mpi release` only.

    Raises:
        StorageUnavailable: If the store cannot be written now.
    """
    with writing(store) as unit:
        put_sources(unit, [_stored(source) for source in sources.values()])
        if find_release_in_force(unit) is None:
            model = index.model
            put_release_in_force(
                unit,
                digest=model.digest,
                name=model.name,
                version=model.version,
                at=clock.now(),
            )


def _stored(source: SourceSystem) -> StoredSource:
    return StoredSource(
        source=source.name,
        name=source.display,
        ods_code=source.ods_code,
        identifier_system=source.identifier_domain.uri,
        mapping_digest=source.digest,
    )

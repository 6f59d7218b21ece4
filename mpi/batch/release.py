"""`mpi release`: another model release comes into force, with all that follows from it, at once.

The store is linked again from the beginning under it, in one transaction: until that ends every
path answers by the release before, and if it fails nothing has happened. Homes and ids are kept as
in any re-linking, so releasing the earlier one brings the earlier groups and ids back.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from mpi.batch.engines import open_engine
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import kept_workers
from mpi.batch.whole_store import Run, gather, link
from mpi.batch.write_index import RELEASE, Written, write_index
from mpi.clock import Clock, SystemClock
from mpi.config import Settings, read_source_systems
from mpi.linkage.model import model_from_spec
from mpi.storage.bulk import bulk_transaction
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release


def put_in_force(
    settings: Settings, folder: Path, *, progress: Progress, clock: Clock | None = None
) -> Written:
    """Link the whole store under this release; gives what was written.

    Args:
        settings: The store's address and the mappings.
        folder: The release.
        progress: Told of each phase.
        clock: Stamps what is written; the system's by default.

    Raises:
        InvalidModel: If the release cannot be used.
        InvalidSettings: If a mapping is missing or wrong.
        StorageUnavailable, WrongSchema: If the store cannot be used; it is as it was.
    """
    sources = read_source_systems(settings.sources_folder)
    release = read_release(folder)
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    at = (clock or SystemClock()).now()
    with (
        closing(open_store(settings.database_url)) as store,
        tempfile.TemporaryDirectory(prefix="mpi-") as work,
        kept_workers(settings.workers_count),
        bulk_transaction(store) as bulk,
        open_engine(settings) as connection,
    ):
        run = Run(connection, bulk, release, model, settings, progress, Path(work))
        gather(run)
        _, questions = link(run)
        return write_index(run, sources, questions, actor=RELEASE, at=at)

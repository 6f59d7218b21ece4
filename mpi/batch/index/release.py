"""`mpi release`: another model release comes into force, with all that follows from it, at once.

The store is linked again from the beginning under it, in one transaction: until that ends every
path answers by the release before, and if it fails nothing has happened. Homes and ids are kept as
in any re-linking, so releasing the earlier one brings the earlier groups and ids back.
"""

from __future__ import annotations

from pathlib import Path

from mpi.batch.index.whole_store import gather, link, opened_run
from mpi.batch.index.write_index import RELEASE, Written, write_index
from mpi.batch.progress import Progress
from mpi.clock import Clock, SystemClock
from mpi.config import Settings, read_source_systems
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
    at = (clock or SystemClock()).now()
    with opened_run(settings, read_release(folder), progress, is_writing=True) as run:
        gather(run)
        _, questions = link(run)
        return write_index(run, sources, questions, actor=RELEASE, at=at)

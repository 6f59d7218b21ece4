"""A store opened to be written, on the command line: prepared as the server prepares it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from mpi.cli.answering import own_recipient
from mpi.clock import SystemClock
from mpi.config import Settings, read_source_systems
from mpi.errors import MpiError
from mpi.services.linkage_index import compile_linkage_index, require_release_in_force
from mpi.services.prepare import prepare_store
from mpi.services.register import Registered
from mpi.services.register_batch import register_batch
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import reading
from mpi.storage.writer import Writer

RegisterAll = Callable[[Sequence[object]], list[Registered | MpiError]]


@contextmanager
def opened_for_writing(settings: Settings) -> Iterator[RegisterAll]:
    """What registers statements in the store of these settings; see `register_batch`.

    Raises:
        StorageUnavailable, WrongSchema: If the store cannot be used.
        Unavailable: If it was linked with another release than the one in force.
        InvalidModel, InvalidSettings: If the release or a mapping is missing or wrong.
    """
    clock, sources = SystemClock(), read_source_systems(settings.sources_folder)
    release = read_release(release_in_force(settings.release_folder))
    index = compile_linkage_index(release, sources)
    with closing(open_store(settings.database_url)) as store:
        prepare_store(store, index, sources, clock=clock)
        with reading(store) as unit:
            require_release_in_force(unit, release.digest)
        with closing(Writer(store)) as writer:
            told = own_recipient()
            yield lambda contents: register_batch(writer, index, contents, told, clock=clock)

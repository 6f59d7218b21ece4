"""What the server is made of: settings, store, release and clock, put together once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Request

from mpi.clock import Clock, SystemClock
from mpi.config import Settings, SourceSystem, read_settings, read_source_systems
from mpi.services.ask import ask
from mpi.services.disclosure import Disclosable, Recipient
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index, require_release_in_force
from mpi.services.prepare import prepare_store
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import reading
from mpi.storage.writer import Writer

Result = TypeVar("Result")

UNAUTHENTICATED = "unauthenticated"
"""Who asks and what for, until callers show tokens."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work with; shared by all threads."""

    store: Store
    index: LinkageIndex
    clock: Clock
    sources: Mapping[str, SourceSystem] = field(default_factory=dict)
    """The source systems that may register records, by name."""
    writer: Writer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "writer", Writer(self.store))

    def ask(
        self, action: str, recipient: Recipient, look_up: Callable[..., Disclosable], *asked: Any
    ) -> Disclosable:
        """The audited answer of `look_up(unit, index, *asked)`."""
        return ask(
            self.store,
            lambda unit: look_up(unit, self.index, *asked),
            action=action,
            recipient=recipient,
            clock=self.clock,
        )

    def act(self, use_case: Callable[..., Result], *said: Any, **options: Any) -> Result:
        """What came of a use case that writes: `use_case(writer, index, *said, clock=...)`."""
        return use_case(self.writer, self.index, *said, clock=self.clock, **options)

    def close(self) -> None:
        """Finish what was submitted and give the connections back."""
        self.writer.close()
        self.store.close()

    def check_ready(self) -> None:
        """Raise the reason why questions cannot be answered now."""
        with reading(self.store) as unit:
            require_release_in_force(unit, self.index.model.digest)


def open_service(settings: Settings | None = None, clock: Clock | None = None) -> Service:
    """Open what the settings name, ready for records to be registered.

    Raises:
        MpiError: If settings, store or release are missing or wrong, in one sentence.
    """
    chosen, told = settings or read_settings(), clock or SystemClock()
    sources = read_source_systems(chosen.sources_folder)
    index = compile_linkage_index(read_release(release_in_force(chosen.release_folder)), sources)
    store = open_store(chosen.database_url)
    prepare_store(store, index, sources, clock=told)
    return Service(store=store, index=index, clock=told, sources=sources)


def served_by(app: FastAPI, service: Service) -> None:
    """Let the routes of an application use this service."""
    app.state.service = service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _recipient(request: Request) -> Recipient:
    return Recipient(
        actor=UNAUTHENTICATED, purpose=UNAUTHENTICATED, request_id=request.state.request_id
    )


Served = Annotated[Service, Depends(_service)]
Told = Annotated[Recipient, Depends(_recipient)]

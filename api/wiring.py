"""What the server is made of: settings, store, release and clock, put together once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Request

from api.access import Access, open_access, passing_access
from api.outcomes import tell_of_act, tell_of_answer
from api.recipients import recipient_of
from mpi.clock import Clock, SystemClock
from mpi.config import Settings, SourceSystem, read_settings, read_source_systems
from mpi.domain.identifiers import PersonId
from mpi.domain.policy import Permit
from mpi.errors import Unavailable
from mpi.services.ask import ask
from mpi.services.audit_seal import RootsCopier, check_roots_file
from mpi.services.behind import Behind, steps_behind
from mpi.services.clients import Client, ClientDirectory, audit_grant
from mpi.services.disclosure import Disclosable, Recipient
from mpi.services.figures import Figure, figures
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index, require_release_in_force
from mpi.services.prepare import prepare_store, rest_garbage_collector
from mpi.services.webhooks import Deliverer
from mpi.services.who_saw import who_saw
from mpi.settings import listed
from mpi.storage.audit import AuditEvent
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import reading, require_writable, writing
from mpi.storage.writer import Writer

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work with; shared by all threads."""

    store: Store
    index: LinkageIndex
    clock: Clock
    sources: Mapping[str, SourceSystem] = field(default_factory=dict)
    """The source systems that may register records, by name."""
    access: Access | None = None
    """Who may call; None: keys of this process alone, for tests and demonstrations."""
    behind: Behind | None = None
    """Work behind the requests; None where nobody waits for it."""
    roots: RootsCopier | None = None
    """Copies the audit trail's roots, behind the requests; None where no file is named."""
    writer: Writer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "writer", Writer(self.store))

    def ask(
        self, action: str, recipient: Recipient, look_up: Callable[..., Disclosable], *asked: Any
    ) -> Disclosable:
        """The audited answer of `look_up(unit, index, *asked)`.

        Args:
            action: Its name in the audit trail.
            recipient: Who asks.
            look_up: One of the look-ups of `mpi.services`.
            asked: What it takes beside the unit and the index.

        Raises:
            MpiError: As the look-up does; StorageUnavailable if it cannot be audited.
        """
        answer = ask(
            self.writer,
            lambda unit: look_up(unit, self.index, *asked),
            action=action,
            recipient=recipient,
            clock=self.clock,
        )
        tell_of_answer(answer)
        return answer

    def who_saw(self, person_id: PersonId, recipient: Recipient) -> list[AuditEvent]:
        """See `mpi.services.who_saw`: the latest first. Raises UnknownPerson."""
        return who_saw(self.store, person_id, recipient=recipient, clock=self.clock)

    def audit_grant(self, client: Client) -> None:
        """Record that a client was given a token. Raises StorageUnavailable: then it gets none."""
        with writing(self.store) as unit:
            audit_grant(unit, client, at=self.clock.now())

    def figures(self) -> list[Figure]:
        """See `mpi.services.figures`: gauges as of now, ages in seconds."""
        with reading(self.store) as unit:
            told = figures(unit, now=self.clock.now())
        failing_s = self.roots.failing_s() if self.roots else 0.0
        words = "Time since roots of the audit trail were last copied, if they cannot be"
        return [*told, Figure("mpi_audit_roots_failing_seconds", words, (), (((), failing_s),))]

    def act(self, use_case: Callable[..., Result], *said: Any, **options: Any) -> Result:
        """What came of a use case that writes: `use_case(writer, index, *said, clock=...)`."""
        result = use_case(self.writer, self.index, *said, clock=self.clock, **options)
        tell_of_act(result)
        return result

    def close(self) -> None:
        """Finish what was submitted and give the connections back."""
        self.writer.close()
        self.store.close()

    def check_ready(self) -> None:
        """Nothing, if questions can be answered now: no audit, no answer.

        Raises:
            Unavailable: If the store cannot be read or written, was linked with another release, or
                a step of the work behind the requests has died.
        """
        with reading(self.store) as unit:
            require_release_in_force(unit, self.index.model.digest)
        with writing(self.store) as unit:
            require_writable(unit)
        if self.behind is not None and not self.behind.is_alive():
            raise Unavailable("service: the work behind it has stopped; restart it")


def open_service(settings: Settings | None = None, clock: Clock | None = None) -> Service:
    """Open what the settings name, ready for records to be registered.

    Args:
        settings: Read from the working folder and the environment if None.
        clock: The machine's if None.

    Raises:
        MpiError: If settings, keys, store or release are missing or wrong, in one sentence.
    """
    chosen, told = settings or read_settings(), clock or SystemClock()
    if chosen.audit_roots_file:
        check_roots_file(chosen.audit_roots_file)
    sources = read_source_systems(chosen.sources_folder)
    index = compile_linkage_index(read_release(release_in_force(chosen.release_folder)), sources)
    store = open_store(chosen.database_url)
    prepare_store(store, index, sources, clock=told)
    rest_garbage_collector()
    owned: dict[str, frozenset[str]] = {}
    for source in sources.values():
        owned[source.ods_code] = owned.get(source.ods_code, frozenset()) | {source.name}
    path = chosen.audit_roots_file
    roots = RootsCopier(store, path, told) if path else None
    return Service(
        store=store,
        index=index,
        clock=told,
        sources=sources,
        behind=_behind(store, told, chosen, roots),
        roots=roots,
        access=open_access(ClientDirectory(store, owned), chosen),
    )


def _behind(store: Store, clock: Clock, settings: Settings, roots: RootsCopier | None) -> Behind:
    deliverer = Deliverer(store, clock, listed(settings.webhook_hosts))
    steps = steps_behind(store, clock, roots=roots, deliverer=deliverer)
    return Behind(steps, close=deliverer.close)


def served_by(app: FastAPI, service: Service) -> None:
    """Let the routes of an application use this service."""
    app.state.service = service
    app.state.access = service.access or passing_access(ClientDirectory(service.store))


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _permit(request: Request) -> Permit:
    permit: Permit = request.state.permit
    return permit


Served = Annotated[Service, Depends(_service)]
Told = Annotated[Recipient, Depends(recipient_of)]
Permitted = Annotated[Permit, Depends(_permit)]

"""Work that is done behind the requests, so that none of them waits for it.

Events get their place in the feed, the audit trail its seals, operators their figures. Every worker
tries; the store lets one at a time through. What fails is logged and tried again: nothing is lost,
for all of it follows from what is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from mpi import logs
from mpi.clock import Clock
from mpi.errors import MpiError
from mpi.limits import REQUEST_KEPT_DAYS
from mpi.services.audit_seal import RootsCopier, seal_audit
from mpi.services.webhooks import Deliverer
from mpi.storage.engine import Store
from mpi.storage.figures import note_heard
from mpi.storage.outbox import number_events
from mpi.storage.requests import forget_outcomes
from mpi.storage.unit_of_work import writing

PASS_EVERY_S: Final = 1.0
"""Seconds from the end of a step to its next beginning."""

Step = Callable[[], object]


class Behind:
    """Runs steps over and over, each on a thread of its own, until it is stopped.

    Args:
        steps: Name in the log -> what to do.
        every_s: Seconds between the end of a step and its next beginning.
        close: Called once, after the last step has ended.
    """

    def __init__(
        self,
        steps: Mapping[str, Step],
        *,
        every_s: float = PASS_EVERY_S,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._close = close
        self._stopped = threading.Event()
        self._every_s = every_s
        self._threads = [
            threading.Thread(target=self._repeat, args=(name, step), name=name, daemon=True)
            for name, step in steps.items()
        ]

    def start(self) -> None:
        """Begin; once only."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends after the steps that are under way, and waits for them."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._close()

    def is_alive(self) -> bool:
        """Whether no step has died of a fault of ours."""
        return all(thread.is_alive() for thread in self._threads)

    def _repeat(self, name: str, step: Step) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                step()
            except (MpiError, OSError) as error:
                reason = str(error) if isinstance(error, MpiError) else None  # Others name paths.
                kind = type(error).__name__
                logs.warning("behind_failed", action=name, error_class=kind, reason=reason)


def steps_behind(
    store: Store,
    clock: Clock,
    *,
    roots: RootsCopier | None = None,
    deliverer: Deliverer | None = None,
) -> dict[str, Step]:
    """What every installation needs done behind the requests: name -> step.

    Args:
        store: What is worked on.
        clock: Stamps seals.
        roots: Copies roots of seals to a file; None for nowhere.
        deliverer: Sends webhooks; None for nobody.
    """

    def seal() -> None:
        seal_audit(store, clock=clock)

    def number() -> None:
        with writing(store) as unit:
            number_events(unit)

    def hear() -> None:
        is_more = True
        while is_more:
            with writing(store) as unit:
                is_more = note_heard(unit)

    def forget() -> None:
        with writing(store) as unit:
            forget_outcomes(unit, before=clock.now() - timedelta(days=REQUEST_KEPT_DAYS))

    steps: dict[str, Step] = {"seal": seal, "number": number, "hear": hear, "forget": forget}
    steps |= {"copy_roots": roots.step} if roots else {}
    return steps | ({"deliver": deliverer.step} if deliverer else {})

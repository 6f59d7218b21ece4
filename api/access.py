"""What the server knows about who may call it: tokens, the register of clients, rates."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from mpi.errors import TooManyRequests
from mpi.limits import REFUSALS_PER_MINUTE_MAX
from mpi.services.clients import ClientDirectory
from mpi.services.signing_keys import open_keys, passing_keys
from mpi.services.tokens import LOCAL_ISSUER, Tokens, issuer_of
from mpi.settings import Settings, keys_folder_of


@dataclass(slots=True)
class SlidingMinute:
    """How often each name was counted in the last sixty seconds, in this worker.

    Counts are of whole minutes; of the minute before, as much is taken as the last sixty seconds
    still overlap, as if its counts had come evenly. So no more than two counts a name are kept, and
    only of names that were seen in these two minutes.
    """

    counts_max: float
    _minute: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _before: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def count(self, name: str, *, at_s: float) -> bool:
        """Whether the name may be counted once more, and was.

        Args:
            name: Whom to count.
            at_s: Seconds of a clock that never goes back.
        """
        minute, past_s = divmod(at_s, 60)
        with self._lock:
            if minute != self._minute:
                self._before = self._counts if minute == self._minute + 1 else Counter()
                self._minute, self._counts = int(minute), Counter()
            recent = self._counts[name] + self._before[name] * (1 - past_s / 60)
            if recent >= self.counts_max:
                return False
            self._counts[name] += 1
        return True


class Rates:
    """How often each caller may ask, in this worker."""

    def __init__(self, requests_per_minute: int) -> None:
        self._requests = SlidingMinute(requests_per_minute or math.inf)
        self._refusals = SlidingMinute(REFUSALS_PER_MINUTE_MAX)

    def count_request(self, client_id: str) -> None:
        """Raise TooManyRequests if a client asks more often than it may."""
        if not self._requests.count(client_id, at_s=monotonic()):
            raise TooManyRequests("client: it asks more often than it may; retry later")

    def count_refusal(self, address: str) -> None:
        """Raise TooManyRequests if an address was refused so often that it is not audited more."""
        if not self._refusals.count(address, at_s=monotonic()):
            raise TooManyRequests("address: it was refused too often; retry later")


@dataclass(frozen=True, slots=True)
class Access:
    """What the guard judges requests with; shared by all threads."""

    tokens: Tokens
    clients: ClientDirectory
    rates: Rates
    public_url: str = ""


def open_access(clients: ClientDirectory, settings: Settings) -> Access:
    """Access as the settings say. Raises InvalidSettings if there are no keys."""
    return Access(
        tokens=Tokens(open_keys(keys_folder_of(settings)), issuer_of(settings)),
        clients=clients,
        rates=Rates(settings.requests_per_minute),
        public_url=settings.public_url,
    )


def passing_access(clients: ClientDirectory) -> Access:
    """Access with keys of this process alone: for tests and programs that hold a server."""
    return Access(Tokens(passing_keys(), LOCAL_ISSUER), clients, Rates(0))

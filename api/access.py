"""What the server knows about who may call it: tokens, the register of clients, rates."""

from __future__ import annotations

from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mpi.errors import TooManyRequests
from mpi.limits import REFUSALS_PER_MINUTE_MAX
from mpi.services.clients import ClientDirectory
from mpi.services.signing_keys import open_keys, passing_keys
from mpi.services.tokens import LOCAL_ISSUER, Tokens, issuer_of
from mpi.settings import Settings, keys_folder_of


class Rates:
    """How often each caller may ask, in this worker: counted in memory, in a sliding minute.

    Args:
        requests_per_minute: Of one client; 0 means any number.
    """

    def __init__(self, requests_per_minute: int) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._requests = (
            RateLimitItemPerMinute(requests_per_minute) if requests_per_minute else None
        )
        self._refusals = RateLimitItemPerMinute(REFUSALS_PER_MINUTE_MAX)

    def count_request(self, client_id: str) -> None:
        """Count a request of a client.

        Raises:
            TooManyRequests: If it asks more often than it may.
        """
        if self._requests and not self._limiter.hit(self._requests, "client", client_id):
            raise TooManyRequests("client: it asks more often than it may; retry later")

    def count_refusal(self, address: str) -> None:
        """Count a refusal of an address.

        Raises:
            TooManyRequests: If it was refused more than `REFUSALS_PER_MINUTE_MAX` times in a
                minute, so that no more of it is audited.
        """
        if not self._limiter.hit(self._refusals, "address", address):
            raise TooManyRequests("address: it was refused too often; retry later")


@dataclass(frozen=True, slots=True)
class Access:
    """What the guard judges requests with; shared by all threads."""

    tokens: Tokens
    clients: ClientDirectory
    rates: Rates
    public_url: str = ""
    """Where clients reach the server; empty on an installation for its own machine alone."""


def open_access(clients: ClientDirectory, settings: Settings) -> Access:
    """Access as the settings say.

    Raises:
        InvalidSettings: If there are no keys, or they cannot be read or others may read them.
    """
    return Access(
        tokens=Tokens(open_keys(keys_folder_of(settings)), issuer_of(settings)),
        clients=clients,
        rates=Rates(settings.requests_per_minute),
        public_url=settings.public_url,
    )


def passing_access(clients: ClientDirectory) -> Access:
    """Access with keys of this process alone: for tests and programs that hold a server."""
    return Access(Tokens(passing_keys(), LOCAL_ISSUER), clients, Rates(0))

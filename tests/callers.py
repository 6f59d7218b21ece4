"""Callers of the API as they are registered in reality, each with a token of its own."""

from __future__ import annotations

from typing import Any

from mpi.domain.policy import Role
from mpi.domain.records import content_digest
from mpi.services.clients import Client, register_client
from mpi.storage.clients import find_client
from mpi.storage.unit_of_work import writing

ORGANISATION = "J81001"
USER = {"X-User-Id": "nurse@j81001", "X-User-Role": "R8001", "X-User-Organisation": "J81001"}


def headers_of(
    app: Any, *roles: Role, organisation: str = ORGANISATION, sources: tuple[str, ...] = ()
) -> dict[str, str]:
    """The headers of a client of these roles, registered with the application's store."""
    token = token_of(app, *roles, organisation=organisation, sources=sources)
    return {"Authorization": f"Bearer {token}"} | (USER if Role.VIEW in roles else {})


def client_id(*roles: Role, organisation: str = ORGANISATION, sources: tuple[str, ...] = ()) -> str:
    """The id under which such a client is registered."""
    return "-".join([*sorted(roles), organisation, content_digest(" ".join(sources))[:8]])


def token_of(
    app: Any, *roles: Role, organisation: str = ORGANISATION, sources: tuple[str, ...] = ()
) -> str:
    """An access token of such a client."""
    client_id = caller_of(app, *roles, organisation=organisation, sources=sources)
    return issued(app, client_id, *roles)


def issued(app: Any, client_id: str, *roles: Role) -> str:
    """A token for a registered client, which asks nothing of the store."""
    return app.state.access.tokens.issue(client_id, roles, now=app.state.service.clock.now())


def caller_of(
    app: Any, *roles: Role, organisation: str = ORGANISATION, sources: tuple[str, ...] = ()
) -> str:
    """The id of such a client, registered if need be."""
    service = app.state.service
    client = Client(
        id=client_id(*roles, organisation=organisation, sources=sources),
        organisation=organisation,
        roles=frozenset(roles),
        sources=frozenset(sources),
        registered_at=service.clock.now(),
    )
    with writing(service.store) as unit:
        if find_client(unit, client.id) is None:
            register_client(unit, client, actor="test")
    return client.id

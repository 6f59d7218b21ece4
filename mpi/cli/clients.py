"""`mpi init`, `mpi client`, `mpi keys`, `mpi token`: who may ask, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mpi.cli.choices import AsJson, DatabaseUrl, chosen_settings, chosen_store, example
from mpi.domain.policy import Role
from mpi.errors import InvalidInput
from mpi.settings import Settings, keys_folder_of

if TYPE_CHECKING:
    from mpi.storage.clients import Client

DEMO_ORGANISATION: Final = "DEMO"
LOCAL_TOKEN_HOURS: Final = 12
JWKS_BYTES_MAX: Final = 65_536

_clients = typer.Typer(help="Register systems that may ask, and take their rights away.")
_keys = typer.Typer(help="The keys that sign access tokens.")

ClientId = Annotated[str, typer.Argument(help="The client's id.", show_default=False)]
Roles = Annotated[
    list[Role], typer.Option("--role", help="What it may do; may be given more than once.")
]
Jwks = Annotated[
    Path,
    typer.Option(
        help="Its public keys, as a JWKS.", exists=True, dir_okay=False, show_default=False
    ),
]
Organisation = Annotated[
    str, typer.Option("--organisation", help="ODS code of its organisation.", show_default=False)
]


def add_commands(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(epilog=example("mpi init", "mpi init --database-url postgresql:///mpi"))(init)
    app.add_typer(_clients, name="client")
    app.add_typer(_keys, name="keys")
    app.command(epilog=example("mpi token --role steward --organisation QVV"))(token)


def init(database_url: DatabaseUrl = None) -> None:
    """Make the store and the signing keys of an installation; what is there already stays."""
    from mpi.services.log_key import create_log_key
    from mpi.services.signing_keys import create_keys
    from mpi.storage.engine import create_store

    settings = chosen_settings(database_url)
    create_store(settings.database_url).close()
    folder = keys_folder_of(settings)
    is_new = create_keys(folder)
    create_log_key(folder)
    typer.echo("The store is ready.")
    typer.echo(f"{'New signing keys' if is_new else 'The signing keys'} are in {folder}.")


@_clients.command(
    epilog=example(
        "mpi client add dch-engine --role integration --organisation RBD --jwks keys.json"
    )
)
def add(
    client_id: ClientId,
    roles: Roles,
    organisation: Organisation,
    jwks: Jwks,
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", help="A source system of its own, beside those of its ODS code."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Register a system with its organisation, roles and public keys."""
    from mpi.services.assertions import checked_jwks
    from mpi.services.clients import register_client
    from mpi.storage.clients import Client
    from mpi.storage.unit_of_work import writing

    added = Client(
        id=client_id,
        organisation=organisation,
        roles=frozenset(roles),
        sources=frozenset(sources or ()),
        keys=checked_jwks(_read_json(jwks)),
        registered_at=_now(),
    )
    with writing(chosen_store(database_url)) as unit:
        register_client(unit, added, actor=_actor())
    typer.echo(f"{client_id} may ask for tokens.")


@_clients.command(epilog=example("mpi client keys dch-engine --jwks keys.json"))
def keys(client_id: ClientId, jwks: Jwks, database_url: DatabaseUrl = None) -> None:
    """Exchange a client's public keys; to change over without a gap, list old and new first."""
    from mpi.services.assertions import checked_jwks
    from mpi.services.clients import exchange_keys
    from mpi.storage.unit_of_work import writing

    exchanged = checked_jwks(_read_json(jwks))
    with writing(chosen_store(database_url)) as unit:
        exchange_keys(unit, client_id, exchanged, actor=_actor(), at=_now())
    typer.echo(f"{client_id} signs with {', '.join(key['kid'] for key in exchanged)} from now on.")


@_clients.command(name="list", epilog=example("mpi client list --json"))
def list_registered(as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """List the registered clients."""
    from mpi.cli.show import print_rows
    from mpi.storage.clients import list_clients
    from mpi.storage.unit_of_work import reading

    with reading(chosen_store(database_url)) as unit:
        rows = [_view(client) for client in list_clients(unit)]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        print_rows(rows)


@_clients.command(epilog=example("mpi client disable dch-engine"))
def disable(client_id: ClientId, database_url: DatabaseUrl = None) -> None:
    """Take a client's rights away; every worker knows within 5 seconds."""
    _switch(client_id, database_url, on=False)
    typer.echo(f"{client_id} is disabled.")


@_clients.command(epilog=example("mpi client enable dch-engine"))
def enable(client_id: ClientId, database_url: DatabaseUrl = None) -> None:
    """Give a disabled client its rights back."""
    _switch(client_id, database_url, on=True)
    typer.echo(f"{client_id} is enabled.")


@_keys.command(epilog=example("mpi keys rotate"))
def rotate(database_url: DatabaseUrl = None) -> None:
    """Sign with a new key from now on; tokens of the key before still count. Needs no restart."""
    from mpi.services.signing_keys import rotate_keys

    kid = rotate_keys(keys_folder_of(chosen_settings(database_url)))
    typer.echo(f"Tokens are signed with key {kid} from now on.")


@_keys.command(name="replace-log-key", epilog=example("mpi keys replace-log-key"))
def replace_log_key(database_url: DatabaseUrl = None) -> None:
    """Make the log's references to persons untraceable; restart the server to use the new key."""
    from mpi.services.log_key import replace_log_key as replace

    replace(keys_folder_of(chosen_settings(database_url)))
    typer.echo("References in logs until now lead to nobody any more. Restart the server.")


def token(
    role: Annotated[Role, typer.Option(help="What it may do.", show_default=False)],
    organisation: Organisation,
    minutes: Annotated[
        int, typer.Option(min=1, max=LOCAL_TOKEN_HOURS * 60, help="How long it is good for.")
    ] = 60,
    database_url: DatabaseUrl = None,
) -> None:
    """Print an access token for a local installation; whoever has it acts in this role."""
    settings = chosen_settings(database_url)
    lifetime = timedelta(minutes=minutes)
    typer.echo(local_token(settings, [role], organisation, lifetime=lifetime))


def local_token(
    settings: Settings,
    roles: Iterable[Role],
    organisation: str,
    *,
    sources: Iterable[str] = (),
    lifetime: timedelta = timedelta(hours=LOCAL_TOKEN_HOURS),
) -> str:
    """A token of the local client of these roles and organisation, registered if need be.

    Args:
        settings: Of the installation whose keys sign it; it must have some.
        roles: What it may do.
        organisation: ODS code.
        sources: Source systems of its own, beside those of the ODS code.
        lifetime: How long it is good for.

    Raises:
        InvalidInput: If a role, the organisation or a source is not possible.
        InvalidSettings: If there are no keys to sign with.
        StorageUnavailable, WrongSchema: If the store cannot be used.

    Source: a JSON Web Token, RFC 7519.
    """
    from mpi.services.clients import local_client
    from mpi.services.signing_keys import open_keys
    from mpi.services.tokens import Tokens, issuer_of
    from mpi.storage.engine import open_store
    from mpi.storage.unit_of_work import writing

    keys, now = open_keys(keys_folder_of(settings)), _now()
    store = open_store(settings.database_url)
    with writing(store) as unit:
        client = local_client(unit, roles, organisation, actor=_actor(), at=now, sources=sources)
    store.close()
    return Tokens(keys, issuer_of(settings)).issue(client.id, roles, now=now, lifetime=lifetime)


def _switch(client_id: str, database_url: str | None, *, on: bool) -> None:
    from mpi.services.clients import switch_client
    from mpi.storage.unit_of_work import writing

    with writing(chosen_store(database_url)) as unit:
        switch_client(unit, client_id, actor=_actor(), at=_now(), on=on)


def _read_json(path: Path) -> object:
    try:
        if path.stat().st_size > JWKS_BYTES_MAX:
            raise InvalidInput(f"jwks: must not be longer than {JWKS_BYTES_MAX} bytes")
        content: object = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InvalidInput("jwks: the file is not JSON in UTF-8") from error
    return content


def _view(client: Client) -> dict[str, str | list[str]]:
    return {
        "client": client.id,
        "organisation": client.organisation,
        "roles": sorted(client.roles),
        "sources": sorted(client.sources),
        "key_ids": [key["kid"] for key in client.keys],
        "state": "disabled" if client.disabled_at else "active",
    }


def _actor() -> str:
    from mpi.cli.answering import command_line_actor

    return command_line_actor()


def _now() -> datetime:
    from mpi.clock import SystemClock

    return SystemClock().now()

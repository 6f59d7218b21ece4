"""`mpi webhook`: who hears of events, and what they have still to receive."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mpi.cli.choices import AsJson, DatabaseUrl, chosen_settings, chosen_store, example
from mpi.domain.events import EventType

_commands = typer.Typer(help="Send the change feed to systems that want to hear of it.")

WebhookId = Annotated[str, typer.Argument(help="The webhook's id.", show_default=False)]


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi webhook`."""
    app.add_typer(_commands, name="webhook")


@_commands.command(
    epilog=example(
        "mpi webhook add https://hub.example.nhs.uk/mpi --organisation RBD --event merged"
    )
)
def add(
    url: Annotated[str, typer.Argument(help="Where to send; its host must be listed.")],
    organisation: Annotated[str, typer.Option(help="ODS code of who receives.")],
    events: Annotated[
        list[EventType] | None, typer.Option("--event", help="Only these; else all.")
    ] = None,
    is_own_only: Annotated[
        bool, typer.Option("--own", help="Only persons with a record of the organisation.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Send events from now on to an address, and print the secret that signs them, once."""
    from mpi.cli.answering import command_line_actor
    from mpi.clock import SystemClock
    from mpi.services.webhooks import subscribe
    from mpi.settings import listed
    from mpi.storage.unit_of_work import writing

    settings = chosen_settings(database_url)
    with writing(chosen_store(database_url)) as unit:
        added = subscribe(
            unit,
            url,
            organisation=organisation,
            event_types=map(str, events or ()),
            is_own_only=is_own_only,
            allowed_hosts=listed(settings.webhook_hosts),
            actor=command_line_actor(),
            at=SystemClock().now(),
        )
    typer.echo(f"{added.id} hears of events from now on. Its secret, shown only now:")
    typer.echo(added.secret)


@_commands.command(name="list", epilog=example("mpi webhook list --json"))
def list_all(as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """List the webhooks with what each has still to receive."""
    from mpi.cli.show import print_rows
    from mpi.storage.unit_of_work import reading
    from mpi.storage.webhooks import list_backlogs, list_webhooks

    with reading(chosen_store(database_url)) as unit:
        backlogs = {each.webhook_id: each for each in list_backlogs(unit)}
        rows = [
            {
                "webhook": each.id,
                "organisation": each.organisation,
                "url": each.url,
                "events": sorted(each.event_types) or ["all"],
                "waiting": backlogs[each.id].waiting_count,
                "given_up": backlogs[each.id].dead_count,
            }
            for each in list_webhooks(unit)
        ]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        print_rows(rows)


@_commands.command(epilog=example("mpi webhook replay wh_0123456789abcdef"))
def replay(webhook: WebhookId, database_url: DatabaseUrl = None) -> None:
    """Send again what was given up, and with it what waits behind it."""
    from mpi.cli.answering import command_line_actor
    from mpi.clock import SystemClock
    from mpi.services.webhooks import send_again
    from mpi.storage.unit_of_work import writing

    with writing(chosen_store(database_url)) as unit:
        count = send_again(unit, webhook, actor=command_line_actor(), at=SystemClock().now())
    typer.echo(f"{count:,} messages will be sent again.")


@_commands.command(epilog=example("mpi webhook remove wh_0123456789abcdef"))
def remove(webhook: WebhookId, database_url: DatabaseUrl = None) -> None:
    """Send nothing more to a webhook, not even what waits."""
    from mpi.cli.answering import command_line_actor
    from mpi.clock import SystemClock
    from mpi.services.webhooks import unsubscribe
    from mpi.storage.unit_of_work import writing

    with writing(chosen_store(database_url)) as unit:
        unsubscribe(unit, webhook, actor=command_line_actor(), at=SystemClock().now())
    typer.echo(f"{webhook} hears of nothing more.")

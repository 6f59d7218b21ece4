"""`mpi audit`: is the trail whole, and who saw a person?"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mpi.cli.choices import AsJson, DatabaseUrl, chosen_settings, chosen_store, example
from mpi.errors import InvalidInput

if TYPE_CHECKING:
    from mpi.services.audit_seal import Verification

FOUND_STATUS: Final = 1
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

_commands = typer.Typer(help="Check the audit trail, or ask it who saw a person.")


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi audit`."""
    app.add_typer(_commands, name="audit")


@_commands.command(epilog=example("mpi audit verify", "mpi audit verify --json"))
def verify(
    as_json: AsJson = False,
    restored: Annotated[
        bool, typer.Option("--restored", help="The store is a backup's: it may end earlier.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Find every event that was altered, removed, added or moved since it was sealed.

    Seals first what is not sealed yet. Compares with the roots copied to audit_roots_file too, if
    that is set. Ends with status 1 if anything is not as it was. A restored backup is not sealed
    first, and roots that are later than its last seal are not missed.
    """
    from mpi.clock import SystemClock
    from mpi.services.audit_seal import seal_audit, verify_audit

    settings, store = chosen_settings(database_url), chosen_store(database_url)
    if not restored:
        seal_audit(store, clock=SystemClock())
    found = verify_audit(store, settings.audit_roots_file, is_restored=restored)
    typer.echo(json.dumps(_view(found)) if as_json else _words(found))
    if found.findings_count:
        raise typer.Exit(FOUND_STATUS)


@_commands.command(epilog=example("mpi audit seal"))
def seal(database_url: DatabaseUrl = None) -> None:
    """Seal what is not sealed yet, as the server does every few seconds."""
    from mpi.clock import SystemClock
    from mpi.services.audit_seal import copy_roots, seal_audit

    settings, store = chosen_settings(database_url), chosen_store(database_url)
    typer.echo(f"{seal_audit(store, clock=SystemClock()):,} events sealed.")
    if settings.audit_roots_file:
        copy_roots(store, settings.audit_roots_file)


@_commands.command(name="who-saw", epilog=example("mpi audit who-saw PQ9NTQMG6VPA28"))
def who_saw(
    person: Annotated[str, typer.Argument(help="A person id, in use or not.", show_default=False)],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Who saw this person's records, under whatever id they were shown, the latest first."""
    from mpi.cli.answering import PURPOSE, command_line_actor
    from mpi.cli.show import print_rows
    from mpi.clock import SystemClock
    from mpi.domain.identifiers import parse_person_id
    from mpi.services import who_saw as service
    from mpi.services.disclosure import Recipient

    events = service.who_saw(
        chosen_store(database_url),
        parse_person_id(person),
        recipient=Recipient(actor=command_line_actor(), purpose=PURPOSE),
        clock=SystemClock(),
    )
    rows = [service.disclosure_view(event) for event in events]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        print_rows([row | _flat(row) for row in rows])


@_commands.command(epilog=example("mpi audit reference PQ9NTQMG6VPA28 --month 2026-11"))
def reference(
    person: Annotated[str, typer.Argument(help="A person id.", show_default=False)],
    month: Annotated[
        str | None, typer.Option(help="Of the log: YYYY-MM; this month if left out.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """What the server's log calls this person in a month (`person_ref`); asking is audited."""
    from mpi.cli.answering import PURPOSE, command_line_actor
    from mpi.clock import SystemClock
    from mpi.domain.identifiers import parse_person_id
    from mpi.logs import person_reference
    from mpi.services.disclosure import Recipient, audit_disclosure
    from mpi.services.log_key import read_log_key
    from mpi.settings import keys_folder_of
    from mpi.storage.unit_of_work import writing

    person_id, now = parse_person_id(person), SystemClock().now()
    if month is not None and not _MONTH.fullmatch(month):
        raise InvalidInput("month: must be written as YYYY-MM")
    secret = read_log_key(keys_folder_of(chosen_settings(database_url)))
    recipient = Recipient(actor=command_line_actor(), purpose=PURPOSE)
    with writing(chosen_store(database_url)) as unit:
        audit_disclosure(unit, "refer_to_log", recipient, [person_id], at=now)
    typer.echo(person_reference(person_id, month=month or f"{now:%Y-%m}", secret=secret))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """What a table shows of a user and of records."""
    user = row["user"] or {}
    return {"user": list(user.values()), "seen": sorted(row["seen"])}


def _view(found: Verification) -> dict[str, Any]:
    return {
        "events": found.events_count,
        "seals": found.seals_count,
        "unsealed": found.unsealed_count,
        "findings_count": found.findings_count,
        "findings": [{"kind": each.kind, "number": each.number} for each in found.findings],
        "last_chain": found.last_chain,
    }


def _words(found: Verification) -> str:
    lines = [
        f"{found.events_count:,} events under {found.seals_count:,} seals were checked; "
        f"{found.unsealed_count:,} are not sealed yet.",
        *(f"  {_finding(each.kind, each.number)}" for each in found.findings),
    ]
    if found.findings_count > len(found.findings):
        lines.append(f"  and {found.findings_count - len(found.findings):,} more")
    lines.append(
        f"{found.findings_count:,} findings: the trail was changed."
        if found.findings_count
        else f"The trail is whole. Its last chain value is {found.last_chain}."
    )
    return "\n".join(lines)


def _finding(kind: str, number: int) -> str:
    thing = "seal" if kind in ("seal", "root") else "event"
    words = {"seal": "does not follow from its events", "root": "differs from its copied root"}
    return f"{thing} {number} {words.get(kind, f'is {kind}')}"

"""`mpi serve`: starts the server by its import string, so that this package never imports it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from ipaddress import ip_address
from typing import Annotated, Any, Final

import typer

from mpi.cli.choices import DatabaseUrl, chosen_settings, example
from mpi.errors import InvalidSettings, Unavailable
from mpi.settings import Settings, keys_folder_of

SERVER_APPLICATION: Final = "api.app:create_app"
STOP_WITHIN_S: Final = 20
"""What was accepted is finished within this time after a stop is asked for."""
METRICS_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi serve`."""
    app.command(epilog=example("mpi serve", "mpi serve --port 9000 --workers 2"))(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8080,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes; a SQLite store has one.")
    ] = 1,
    database_url: DatabaseUrl = None,
) -> None:
    """Answer over HTTP until interrupted; the API describes itself at /docs.

    Callers show tokens. On this machine a server without keys makes some for trying out and prints
    a token; beyond it, it needs real keys (mpi init) and TLS, its own or a declared proxy's.
    """
    from mpi.cli.registering import opened_for_writing
    from mpi.services.audit_seal import check_roots_file
    from mpi.storage.warming import warming

    settings = chosen_settings(database_url)
    check_exposure(settings, host, workers=workers)
    _require_free(host, port)
    if settings.audit_roots_file:
        check_roots_file(settings.audit_roots_file)
    with opened_for_writing(settings):
        pass  # What is wrong is told here in one sentence, and not by every worker.
    _prepare_keys(settings, is_local=is_loopback(host))
    os.environ["MPI_DATABASE_URL"] = settings.database_url
    scheme = "https" if settings.tls_certificate else "http"
    typer.echo(f"Serving {scheme}://{host}:{port}; its description is at /docs. Ctrl+C ends it.")
    with warming(settings.database_url):
        _run(settings, host=host, port=port, workers=workers)


def check_exposure(settings: Settings, host: str, *, workers: int) -> None:
    """Refuse to show more than the server can protect, or to share a store that cannot be shared.

    Args:
        settings: Its certificate, proxies and public address.
        host: Where it would listen.
        workers: Processes.

    Raises:
        InvalidSettings: If several workers would share SQLite, or callers beyond this machine would
            be answered without TLS or under an address that is not https.
    """
    if workers > 1 and settings.database_url.startswith("sqlite:"):
        raise InvalidSettings("workers: a SQLite store is served by one; use PostgreSQL for more")
    if is_loopback(host):
        return
    if settings.tls_certificate is None and not settings.trusted_proxies:
        raise InvalidSettings(
            "host: beyond this machine the server needs tls_certificate and tls_key, or "
            "trusted_proxies that speak TLS for it"
        )
    if not settings.public_url.startswith("https://"):
        raise InvalidSettings("public_url: beyond this machine it must be set, with https://")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens here: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _require_free(host: str, port: int) -> None:
    """Refuse before a token is printed and an address told of, at which another program answers."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As the server will ask.
        try:
            probe.bind((host, port))
        except OSError as error:
            why = str(error.strerror).lower()
            raise Unavailable(f"host, port: the server cannot listen there: {why}") from error


def _prepare_keys(settings: Settings, *, is_local: bool) -> None:
    """Demonstration keys where there are none, with a token; refused beyond this machine."""
    from mpi.cli.clients import DEMO_ORGANISATION, local_token
    from mpi.config import read_source_systems
    from mpi.domain.policy import Role
    from mpi.services.log_key import create_log_key
    from mpi.services.signing_keys import create_keys, open_keys

    folder = keys_folder_of(settings)
    if is_local:
        create_keys(folder, is_demo=True)
        create_log_key(folder)
    if not open_keys(folder).current().is_demo:
        return
    if not is_local:
        raise InvalidSettings("keys_folder: its keys are a demonstration's; run mpi init first")
    roles, sources = (Role.INTEGRATION, Role.STEWARD), read_source_systems(settings.sources_folder)
    token = local_token(settings, roles, DEMO_ORGANISATION, sources=sources)
    typer.echo("The keys are a demonstration's: for this machine only. A token for 12 hours, of")
    typer.echo("somebody who registers records of every source and decides as a steward:")
    typer.echo(f"  export MPI_TOKEN={token}")
    typer.echo('  (send it as "Authorization: Bearer $MPI_TOKEN"; mpi token makes others)')


def _run(settings: Settings, *, host: str, port: int, workers: int) -> None:
    import uvicorn

    metrics_folder = tempfile.mkdtemp(prefix="mpi-metrics-") if workers > 1 else None
    if metrics_folder:
        os.environ[METRICS_FOLDER_VARIABLE] = metrics_folder
    try:
        uvicorn.run(
            SERVER_APPLICATION,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=STOP_WITHIN_S,
            **_transport(settings),
        )
    except SystemExit as ended:
        if ended.code:
            raise Unavailable("serve: the server could not start or was stopped") from ended
    finally:
        if metrics_folder:
            shutil.rmtree(metrics_folder, ignore_errors=True)


def _transport(settings: Settings) -> dict[str, Any]:
    """TLS of our own, and whose word is taken for who called."""
    transport: dict[str, Any] = {
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or None,
    }
    if settings.tls_certificate:
        transport["ssl_certfile"] = str(settings.tls_certificate)
        transport["ssl_keyfile"] = str(settings.tls_key)
    return transport

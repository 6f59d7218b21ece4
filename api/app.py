"""The server: `uvicorn --factory api.app:create_app`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import mpi
from api import authorisation, description, health, metrics
from api.contract import declare_access
from api.door import Door
from api.errors import add_error_handlers
from api.guard import Guard
from api.v1 import disclosures
from api.v1 import routes as v1
from api.wiring import Service, open_service, served_by
from mpi import logs
from mpi.logs import configure_logs
from mpi.services.log_key import read_log_key
from mpi.settings import keys_folder_of, read_settings

_DESCRIPTION = """
Says which records of a region's health and care organisations are one person's.

*Resolve* asks who somebody is and changes nothing. Every answer leaves an audit event before it is
given. Errors are problem details (RFC 9457) that name the field and the rule.

Callers show an access token, as Authorization: Bearer; /.well-known/smart-configuration says where
to get one. What each role may do is in docs/security/policy.md.
"""


def create_app(service: Service | None = None) -> FastAPI:
    """The application, serving what the settings name unless a service is given.

    It closes what it serves when it shuts down.

    Raises:
        MpiError: If settings, store or release are missing or wrong.
    """
    served = service or _opened()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if served.behind:
            served.behind.start()
        yield
        if served.behind:
            served.behind.stop()
        served.close()

    app = FastAPI(
        title="Master patient index",
        version=mpi.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    served_by(app, served)
    add_error_handlers(app)
    app.include_router(description.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(authorisation.router)
    app.include_router(v1.router)
    app.include_router(disclosures.router)
    declare_access(app)
    app.add_middleware(Guard)
    app.add_middleware(Door)
    return app


def _opened() -> Service:
    """What the settings name; the process is the server's own, so its log is ours too."""
    settings = read_settings()
    configure_logs(level=settings.log_level, secret=read_log_key(keys_folder_of(settings)))
    threading.excepthook = _tell_of_dead_thread
    return open_service(settings)


def _tell_of_dead_thread(ended: threading.ExceptHookArgs) -> None:
    """A traceback would hold values; readiness says that the service must be restarted."""
    logs.error("thread_failed", error_class=ended.exc_type.__name__)

"""The service with its audit of questions left out, to see what that adds.

Nothing of the service can be switched so; this is another program, which nobody installs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from api import app as served
from api.wiring import Service, open_service
from mpi.logs import configure_logs
from mpi.services.disclosure import Disclosable, Recipient, disclosed
from mpi.settings import read_settings
from mpi.storage.unit_of_work import reading


class Unaudited(Service):
    """Answers without leaving a trail."""

    __slots__ = ()

    def ask(
        self, _action: str, recipient: Recipient, look_up: Callable[..., Disclosable], *asked: Any
    ) -> Disclosable:
        """The answer of `look_up(unit, index, *asked)`."""
        with reading(self.store) as unit:
            return disclosed(look_up(unit, self.index, *asked), recipient)


def create_app() -> FastAPI:
    """Served by `uvicorn --factory` in the place of `api.app:create_app`."""
    settings = read_settings()
    configure_logs(level=settings.log_level)
    opened = open_service(settings)
    given = {name: getattr(opened, name) for name in ("store", "index", "clock", "sources")}
    return served.create_app(Unaudited(**given, access=opened.access, behind=opened.behind))

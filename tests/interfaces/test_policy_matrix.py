"""Every route as every role of every organisation: what happens is what docs/security says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.guard import GuardedRoute, guarded_routes
from api.wiring import Service
from mpi.clock import SystemClock
from mpi.domain.policy import POLICY, Role, policy_page
from mpi.storage.engine import Store
from tests.callers import headers_of
from tests.conftest import DATABASES
from tests.small_region import fill, person_id, spec_index

PAGE = Path(__file__).parents[2] / "docs" / "security" / "policy.md"
OWN, OTHER = "J81001", "RBD"
CALLERS = [None, *Role]
PARTS = {"source": "gp", "local_id": "G1", "person_id": person_id(1)}


@pytest.fixture(scope="module", params=DATABASES[:1])
def module_store(request: pytest.FixtureRequest, new_database) -> Iterator[Store]:
    from mpi.storage.engine import open_store

    opened = open_store(new_database(request.param))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(module_store: Store) -> Iterator[TestClient]:
    index = spec_index()
    fill(module_store, index)
    service = Service(store=module_store, index=index, clock=SystemClock())
    with TestClient(create_app(service)) as client:
        yield client


def routes() -> list[tuple[str, GuardedRoute]]:
    application = create_app(Service(store=None, index=None, clock=SystemClock()))
    found = guarded_routes(application)
    return [(method, route) for route in found for method in sorted(route.methods - {"HEAD"})]


ROUTES = routes()


def published() -> dict[str, dict[str, str]]:
    """The table of the page: action -> caller -> cell."""
    rows = re.findall(r"^\| `(\w+)`: [^|]* \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    heads = [*(str(role) for role in Role), "None"]
    return {action: dict(zip(heads, cells.split(" | "), strict=True)) for action, cells in rows}


def test_the_page_is_current() -> None:
    """Make it anew with `python -m tests.interfaces.test_policy_matrix`."""
    assert PAGE.read_text("utf-8") == policy_page()


@pytest.mark.parametrize(
    ("method", "route"), ROUTES, ids=lambda each: getattr(each, "action", each)
)
def test_every_route_has_a_policy(method: str, route: GuardedRoute) -> None:
    assert route.action in POLICY, f"{method} {route.template} has no policy: name it in POLICY"


@pytest.mark.parametrize("organisation", [OWN, OTHER])
@pytest.mark.parametrize("role", CALLERS, ids=str)
@pytest.mark.parametrize(
    ("method", "route"), ROUTES, ids=lambda each: getattr(each, "action", each)
)
def test_what_happens_is_what_the_page_says(
    client: TestClient, method: str, route: GuardedRoute, role: Role | None, organisation: str
) -> None:
    sources = ("gp",) if organisation == OWN else ("ed",)
    headers = (
        headers_of(client.app, role, organisation=organisation, sources=sources) if role else {}
    )
    path = route.template
    for name in re.findall(r"\{(\w+)[^}]*\}", path):
        path = re.sub(rf"\{{{name}[^}}]*\}}", PARTS.get(name, "1"), path)
    status = client.request(method, path, headers=headers).status_code
    cell = published()[route.action][str(role)]
    is_elsewhere = "own" in cell and "{source}" in route.template and organisation == OTHER
    if cell == "-" or is_elsewhere:
        assert status == (403 if role else 401)
    elif cell != "on the same machine":
        assert set(cell.split(", ")) <= {"yes", "own", "unique", "user"}
        assert (status not in (401, 403)) or route.action == "issue_token"


def test_a_route_without_a_policy_is_refused_at_run_time(client: TestClient) -> None:
    application = client.app

    @application.get("/undeclared", include_in_schema=False)
    def undeclared() -> None:
        raise AssertionError("must never be reached")

    for headers in ({}, *(headers_of(application, role) for role in Role)):
        assert client.get("/undeclared", headers=headers).status_code == 403


if __name__ == "__main__":
    PAGE.write_text(policy_page(), "utf-8")

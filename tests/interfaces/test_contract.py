"""A live server keeps what its OpenAPI document promises, whatever it is sent and by whom.

Every operation is asked by a client that may ask it, and by others. What one organisation's client
has registered, another's must not get; without a sound token nobody gets anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.live_api import somebody
from tests.serving import run_command, serving

EXAMPLES: Final = os.environ.get("MPI_CONTRACT_EXAMPLES", "3")
CONFIGURATION: Final = """
# The first registers records and decides; the second, another organisation's engine, must get
# nothing that is the first's own; the auditor asks where both are refused.
[auth.wfc]
path = "clients.json"
peers = ["practice", "hospital"]

# A reader of the change feed may ask to be kept waiting; a thousand of them would wait for ever.
[parameters]
"query.wait_s" = 0
"path.source" = "gp"

# Every organisation may read every person, until sharing agreements are built: 8.2.2 in
# docs/security/asvs.csv says so. Source records are their own organisation's.
[[operations]]
include-path-regex = "^/v1/persons/"
checks.object_level_authorization.enabled = false

# A wrong statement of a batch is refused in its place of the answer; the others are carried out.
[[operations]]
include-path = "/v1/records:batch"
checks.negative_data_rejection.enabled = false

# What a schema cannot say (check characters, one of several fields) is refused with 422, and a form
# or an assertion that breaks a rule of OAuth with 400.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
"""
LEAKY: Final = """
import dataclasses, types
from mpi.domain import policy
from mpi.domain.policy import POLICY, Role
readers = dict.fromkeys(Role, frozenset())
leaky = dataclasses.replace(POLICY["read_source_record"], roles=readers)
policy.POLICY = types.MappingProxyType({**POLICY, "read_source_record": leaky})
"""
"""Code before the server's own: engines get each other's records."""


def test_no_request_breaks_the_contract_or_the_server(
    installation: dict[str, str], tmp_path: Path
) -> None:
    ran = asked(installation, tmp_path, "--phases", "examples,coverage,fuzzing,stateful")
    assert ran.returncode == 0, ran.stdout
    assert "Stateful" in ran.stdout


def test_a_record_that_another_organisation_gets_would_be_noticed(
    installation: dict[str, str], tmp_path: Path
) -> None:
    """The same questions to a server with a fault: the check for it is awake."""
    record = "/v1/sources/{source}/records/{local_id}"
    words = ["--include-path", record, "--phases", "coverage,fuzzing,stateful"]
    ran = asked(installation, tmp_path, *words, first=LEAKY)
    assert ran.returncode == 1
    assert "Object-level authorization bypass" in ran.stdout, ran.stdout


def test_a_record_is_its_own_organisations_to_read_and_to_write(
    installation: dict[str, str],
) -> None:
    """On a live server, with the tokens that two organisations' engines have."""
    with serving(installation) as (_, address, _):
        practice = {"Authorization": f"Bearer {token(installation, 'integration', '11J')}"}
        hospital = {"Authorization": f"Bearer {token(installation, 'integration', 'RBD')}"}
        with httpx2.Client(base_url=f"{address}/v1") as client:
            for method, path, body in requests_about("J81001-1"):
                given: dict[str, Any] = {"json": body} if body else {}
                refused = client.request(method, path, headers=hospital, **given)
                assert refused.status_code == 403, f"{method} {path}"
                done = client.request(method, path, headers=practice, **given)
                assert done.status_code == 200, f"{method} {path}: {done.text}"
            batch = {"records": [somebody(source=s, local_id="1") for s in ("gp", "dorset-county")]}
            told = client.post("/records:batch", headers=hospital, json=batch).json()["results"]
    assert told[0]["problem"]["status"] == 403
    assert told[1]["registered"]["outcome"] == "new"


def requests_about(local_id: str) -> list[tuple[str, str, Any]]:
    """Everything that can be done to a record, in an order in which each succeeds."""
    record = f"/sources/gp/records/{local_id}"
    return [
        ("PUT", record, somebody()),
        ("GET", record, None),
        ("GET", f"/sources/gp/histories/{local_id}", None),
        ("POST", f"{record}:merge", {"into": f"{local_id}-kept"}),
        ("POST", f"{record}:unmerge", None),
        ("DELETE", record, None),
    ]


def asked(
    installation: dict[str, str], folder: Path, *words: str, first: str = ""
) -> subprocess.CompletedProcess[str]:
    """What schemathesis says of a server, of which `first` changes the code."""
    settings = installation | {"MPI_REQUESTS_PER_MINUTE": "0"}
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    with serving(settings, first=first) as (_, address, headers):
        (folder / "clients.json").write_text(json.dumps({"auth": _clients(settings, headers)}))
        command = [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file", str(configuration), "run", f"{address}/openapi.json",
            "--max-examples", EXAMPLES, "--generation-deterministic", "--no-color", *words,
        ]  # fmt: skip
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _clients(settings: dict[str, str], practice: dict[str, str]) -> list[dict[str, Any]]:
    tokens = {
        "practice": practice["Authorization"],
        "hospital": f"Bearer {token(settings, 'integration', 'RBD')}",
        "auditor": f"Bearer {token(settings, 'auditor', 'QVV')}",
    }
    return [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": value}]}
        for name, value in tokens.items()
    ]


def token(settings: dict[str, str], role: str, organisation: str) -> str:
    """What `mpi token` prints."""
    return run_command(settings, "token", "--role", role, "--organisation", organisation).strip()

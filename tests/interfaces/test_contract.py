"""A live server keeps what its OpenAPI document promises, whatever it is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.serving import serving

EXAMPLES = os.environ.get("MPI_CONTRACT_EXAMPLES", "3")
CONFIGURATION = """
# A reader of the change feed may ask to be kept waiting; a thousand of them would wait for ever.
[parameters]
"query.wait_s" = 0

# A wrong statement of a batch is refused in its place of the answer; the others are carried out.
[[operations]]
include-path = "/v1/records:batch"
checks.negative_data_rejection.enabled = false

# What a schema cannot say (check characters, one of several fields) is refused with 422, and a form
# or an assertion that breaks a rule of OAuth with 400.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
"""


def test_no_request_breaks_the_contract_or_the_server(
    installation: dict[str, str], tmp_path: Path
) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file", str(configuration), "run",
        "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES,
        "--generation-deterministic", "--no-color",
    ]  # fmt: skip
    with serving(installation | {"MPI_REQUESTS_PER_MINUTE": "0"}) as (_, address, headers):
        token = ["--header", f"Authorization: {headers['Authorization']}"]
        ran = subprocess.run(
            [*command, *token, f"{address}/openapi.json"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "Stateful" in ran.stdout

"""What the documents claim is held by tests that exist; what they name is there."""

from __future__ import annotations

import ast
import csv
import re
from dataclasses import fields
from pathlib import Path

import pytest

from mpi.settings import Settings

ROOT = Path(__file__).parents[2]
ASVS = ROOT / "docs" / "security" / "asvs.csv"
SAFETY = ROOT / "docs" / "safety.md"
STATES = {"held", "partly", "not yet"}


def claims() -> list[dict[str, str]]:
    with ASVS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def hazards() -> list[list[str]]:
    rows = re.findall(r"^\| (H\d\d .*) \|$", SAFETY.read_text("utf-8"), re.MULTILINE)
    return [row.split(" | ") for row in rows]


def named_tests(text: str) -> list[str]:
    return re.findall(r"tests/[\w/]+\.py(?:::\w+)?", text)


def is_there(test: str) -> bool:
    """Whether the file has the named test; a file alone must have any."""
    name, _, function = test.partition("::")
    path = ROOT / name
    if not path.is_file():
        return False
    found = [n.name for n in ast.walk(ast.parse(path.read_text("utf-8"))) if hasattr(n, "name")]
    return function in found if function else any(n.startswith("test_") for n in found)


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim["id"])
def test_every_claim_of_security_is_held_by_a_test(claim: dict[str, str]) -> None:
    assert claim["state"] in STATES
    tests = named_tests(claim["tests"] or "")
    assert all(map(is_there, tests))
    assert tests or claim["state"] == "not yet" or "docs/" in claim["how or why not"]


@pytest.mark.parametrize("hazard", hazards(), ids=lambda hazard: hazard[0][:3])
def test_every_control_of_a_hazard_names_a_test(hazard: list[str]) -> None:
    tests = named_tests(hazard[3])
    assert all(map(is_there, tests))
    assert tests or "not built yet" in hazard[2]


def test_every_hazard_of_the_log_is_there_once() -> None:
    numbers = [hazard[0][:3] for hazard in hazards()]
    assert numbers == [f"H{number:02}" for number in range(1, 20)]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "operating").glob("*.md")), ids=str)
def test_the_operator_is_told_of_commands_and_settings_that_exist(page: Path) -> None:
    from mpi.cli.main import app

    text = page.read_text("utf-8")
    commands = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    commands |= {str(group.name) for group in app.registered_groups}
    assert set(re.findall(r"\bmpi ([a-z]+)\b(?! [a-z]+ that)", code_in(text))) <= commands
    settings = set(
        re.findall(r"^(?:# )?(\w+) = ", "\n".join(re.findall(r"```toml(.*?)```", text, re.S)), re.M)
    )
    assert settings <= {setting.name for setting in fields(Settings)}


def code_in(text: str) -> str:
    return "\n".join([*re.findall(r"```\n(.*?)```", text, re.S), *re.findall(r"`([^`\n]+)`", text)])

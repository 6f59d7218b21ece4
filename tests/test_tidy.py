"""Rules of the codebase that a reviewer would otherwise have to remember.

Layers keep the core free of databases, servers and clocks, so that every path gives the same
answer; sizes keep a file readable in one sitting; words keep one thing under one name.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("mpi", "api")
CHECKED = (*SOURCES, "tests", "benchmarks")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

_BASE_NAMES = ("errors", "limits", "clock", "config", "logs", "settings", "source_layout")
BASE = {"mpi"} | {f"mpi.{name}" for name in _BASE_NAMES}
CORE = {"base", "domain", "standardise", "linkage"}
LAYERS = {
    "base": {"base"},
    "domain": {"base", "domain"},
    "standardise": {"base", "domain", "standardise"},
    "linkage": CORE,
    "storage": {"base", "domain", "storage"},
    "services": CORE | {"storage", "services"},
    "batch": CORE | {"storage", "services", "batch"},
    "synthetic": {"base", "domain", "synthetic"},
    "cli": CORE | {"storage", "services", "batch", "synthetic", "cli"},
    "api": {"base", "domain", "services", "api"},
}
EXTRA_LAYERS = {"api.wiring": {"storage"}}
DOORS = ("api.v1", "api.fhir", "api.hl7v2", "api.console")

CONFINED = {
    "rapidfuzz": ("mpi.linkage.comparators", "mpi.standardise"),
    "jellyfish": ("mpi.linkage.comparators", "mpi.standardise"),
    "sqlalchemy": ("mpi.storage",),
    "alembic": ("mpi.storage",),
    "psycopg": ("mpi.storage",),
    "adbc_driver_manager": ("mpi.storage",),
    "adbc_driver_sqlite": ("mpi.storage",),
    "adbc_driver_postgresql": ("mpi.storage",),
    "pyarrow": ("mpi.storage", "mpi.batch"),
    "splink": ("mpi.batch",),
    "duckdb": ("mpi.batch",),
    "pyspark": ("mpi.batch",),
    "altair": ("mpi.batch",),
    "vl_convert": ("mpi.batch",),
    "numpy": ("mpi.batch", "mpi.synthetic"),
    "joserfc": ("mpi.services.assertions", "mpi.services.signing_keys", "mpi.services.tokens"),
    "limits": ("api",),
    "prometheus_client": ("api",),
    "fastapi": ("api",),
    "starlette": ("api",),
    "pydantic": ("api",),
    "typer": ("mpi.cli",),
    "rich": ("mpi.cli",),
    "uvicorn": ("mpi.cli",),
    "faker": (),
    "recordlinkage": (),
    "pandas": (),
}
IMPURE_MODULES = {"os", "time", "random", "secrets", "uuid", "subprocess", "socket", "tempfile"}
IMPURE_CALLS = {"now", "today", "utcnow", "open"}
# The writer tells whoever submitted a piece of work what it raised, whatever that is.
DOORS_THAT_CATCH_ALL = {"mpi/cli/main.py", "api/door.py", "mpi/storage/writer.py"}
BANNED_MODULE_WORDS = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "handler"}
BANNED_WORDS = {"dob", "fname", "lname", "mgr", "todo", "fixme"}
WORD_ONLY_IN = {"patient": ("api/fhir", "api/hl7v2"), "cluster": ("mpi/batch",)}


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    return named(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, lazily or not; relative imports do not occur (ruff TID)."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)}: import by full name"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if module in SOURCES)


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer(module: str) -> str:
    if is_inside(module, "api"):
        return "api"
    if module in BASE or module == "mpi.__version__":
        return "base"
    return module.split(".")[1]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_follow_the_layers():
    assert not [
        f"{named(path)} imports {name}"
        for path in files(*SOURCES)
        for name in imports(path)
        if name.split(".")[0] in SOURCES and layer(name) not in allowed_layers(module_name(path))
    ]


def allowed_layers(module: str) -> set[str]:
    return LAYERS[layer(module)] | EXTRA_LAYERS.get(module, set())


def test_doors_do_not_import_each_other():
    assert not [
        f"{named(path)} imports {name}"
        for door in DOORS
        for path in files(door.replace(".", "/"))
        for name in imports(path)
        if any(is_inside(name, other) for other in DOORS if other != door)
    ]


def test_third_party_packages_stay_in_their_folders():
    assert not [
        f"{named(path)} imports {name}"
        for path in files(*SOURCES)
        for name in imports(path)
        if not any(
            is_inside(module_name(path), home) for home in CONFINED.get(name.split(".")[0], SOURCES)
        )
    ]


def test_domain_needs_only_the_standard_library():
    assert not [
        f"{named(path)} imports {name}"
        for path in files("mpi/domain")
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names | {"mpi"}
    ]


def test_the_core_reads_no_clock_environment_or_chance():
    core = files("mpi/domain", "mpi/standardise", "mpi/linkage")
    assert not [
        f"{named(path)} imports {name}"
        for path in core
        for name in imports(path)
        if name.split(".")[0] in IMPURE_MODULES
    ]
    assert not [
        f"{named(path)}:{node.lineno}"
        for path in core
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in IMPURE_CALLS
    ]


def test_only_a_door_catches_everything():
    assert not [
        f"{named(path)}:{node.lineno}"
        for path in files(*SOURCES)
        if named(path) not in DOORS_THAT_CATCH_ALL
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"Exception", "BaseException"})


def test_files_stay_small():
    assert not [
        named(path)
        for path in files(*CHECKED)
        if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES_MAX
    ]


def test_functions_stay_small():
    assert not [
        f"{named(path)}:{function.lineno} {function.name}"
        for path in files(*CHECKED)
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES_MAX
    ]


def test_every_module_says_why_it_exists():
    assert not [named(path) for path in files(*CHECKED) if not ast.get_docstring(parsed(path))]


def test_modules_are_named_after_what_they_hold():
    assert not [
        named(path)
        for path in files(*CHECKED)
        if BANNED_MODULE_WORDS & set(re.split(r"[/_.]", named(path)))
    ]


def test_one_thing_has_one_name():
    assert not [
        f"{named(path)}:{line} {word}"
        for path in files(*SOURCES)
        for line, word in words_in_code(path)
        if word in BANNED_WORDS
        or (word in WORD_ONLY_IN and not named(path).startswith(WORD_ONLY_IN[word]))
    ]


def words_in_code(path: Path) -> Iterator[tuple[int, str]]:
    """Words of names and comments; texts are left out, for sources write what they like."""
    text = io.StringIO(path.read_text(encoding="utf-8"))
    for token in tokenize.generate_tokens(text.readline):
        if token.type in (tokenize.NAME, tokenize.COMMENT):
            for word in re.split(r"[^a-z]+", token.string.lower()):
                yield token.start[0], word


def tracked_text() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if path.is_file() and path.suffix in {"", ".py", ".md", ".toml", ".lock", ".html", ".json"}:
            yield name, path.read_text(encoding="utf-8")


def test_nothing_names_a_path_of_one_machine():
    places = re.compile(r"/(?:root|home|work|tmp)/\w")
    assert not [name for name, text in tracked_text() if places.search(text)]


def test_every_locked_package_has_a_hash_and_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not [line for line in text.splitlines() if line.startswith("-")]
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def test_locked_packages_cover_what_the_project_asks_for():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lock = "".join(
        (ROOT / folder / "requirements.lock").read_text() for folder in ("", "benchmarks")
    )
    asked = re.findall(r'^  "([A-Za-z0-9-]+)', project, re.MULTILINE)
    locked = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert {name.lower() for name in asked} <= set(locked)


@pytest.mark.parametrize("page", ["docs/WHERE.md", "docs/ARCHITECTURE.md", "README.md"])
def test_places_named_in_the_documents_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    places = re.findall(r"`((?:mpi|api|docs|tests|benchmarks|linkage_models|data)/[^` ]*)`", text)
    assert places
    assert not [place for place in places if "<" not in place and not (ROOT / place).exists()]


def test_links_between_documents_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert not [
        f"{named(page)} -> {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

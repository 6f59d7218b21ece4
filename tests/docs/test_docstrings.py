"""Every public docstring gives what types cannot say, and the rules for it catch what does not."""

from __future__ import annotations

import pytest

from tests.docs.docstring_rules import FOLDERS, ROOT, code_files, complaints

WANTING = {
    "no docstring of a module": ("x = 1", "module has no docstring"),
    "no docstring of a class": ("class Pair: ...", "Pair has no docstring"),
    "no docstring of a method": (
        "class Pair:\n  'Two records.'\n  def swap(self): ...",
        "Pair.swap has no docstring",
    ),
    "an error of its own": (
        "def read(text):\n  'Read a date.'\n  raise InvalidInput('no date')",
        "read does not name InvalidInput",
    ),
    "an error of a private function": (
        "def _no(): raise ValueError\ndef read(text):\n  'Read a date.'\n  _no()",
        "read does not name ValueError",
    ),
    "an error of a private method": (
        "class Feed:\n  'A file.'\n  def read(self):\n    'Rows.'\n    self._no()\n"
        "  def _no(self): raise ValueError",
        "Feed.read does not name ValueError",
    ),
    "an error that a function makes": (
        "def bad() -> InvalidInput: 'Bad.'\ndef read(text):\n  'Read a date.'\n  raise bad()",
        "read does not name InvalidInput",
    ),
    "an error of making a value": (
        "class Date:\n  'A day.'\n  def __post_init__(self): raise InvalidRecord('no')",
        "Date does not name InvalidRecord",
    ),
    "an error beside the one that is caught": (
        "def read(text):\n  'A date.'\n  try: raise ValueError\n  except KeyError: pass",
        "read does not name ValueError",
    ),
    "a status of a command's own": (
        "def read():\n  'Read it.'\n  raise typer.Exit(1)\napp.command()(read)",
        "read does not name Exit",
    ),
    "an array without its shape": (
        "def add(weights: npt.NDArray[np.int64]) -> int:\n  'Add them up.'",
        "add does not say the shape, rows or columns of NDArray",
    ),
    "an array under a name of its own": (
        "Bits = npt.NDArray[np.int64]\ndef add(*weights: Bits) -> int:\n  'Add them up.'",
        "add does not say the shape, rows or columns of Bits",
    ),
    "an array under a name of another module": (
        "from mpi.batch.groups import Numbers\nclass Sum:\n  'A sum.'\n  parts: Numbers",
        "Sum does not say the shape, rows or columns of Numbers",
    ),
    "a database without its tables": (
        "def drop(con: duckdb.DuckDBPyConnection) -> None:\n  'Forget them.'",
        "drop does not say the shape, rows or columns of duckdb.DuckDBPyConnection",
    ),
    "a fraction without a unit": (
        "def weigh(pair) -> float:\n  'Weigh a pair.'",
        "weigh does not say the unit of what it returns",
    ),
    "a field without a unit": (
        "class Test:\n  'A test.'\n  at_least: float | None",
        "Test does not say the unit of at_least",
    ),
    "a constant apart from what is described": (
        "TALL = 1.8\n\nSHORT = 0.4\n'A share of all people.'",
        "module does not say the unit of TALL",
    ),
    "a constant without a unit": (
        "TALL = 1.8",
        "module does not say the unit of TALL",
    ),
    "a technique without its source": (
        "'Names compared by Jaro-Winkler.'",
        "module speaks of Jaro-Winkler, and does not name its source (1990)",
    ),
}

ENOUGH = {
    "private names": "def _read(text): raise ValueError\nclass _Pair: ...",
    "an error by its base": (
        "def read(text):\n  'A date, or MpiError.'\n  raise InvalidRecord('no date')"
    ),
    "an error that stays inside": (
        "def read(text):\n  'A date.'\n  try: raise InvalidRecord\n  except InvalidInput: pass"
    ),
    "somebody else's error": (
        "def read(text):\n  'A date.'\n  try: pass\n  except KeyError as error: raise error"
    ),
    "an error of a function within": (
        "def reader():\n  'A function that reads dates.'\n  def read(): raise ValueError"
    ),
    "the status of a command": (
        "@app.command()\ndef read():\n  'Exit status 1: none.'\n  raise typer.Exit(1)"
    ),
    "an error of which all doors speak": (
        "@api.get('/')\ndef read():\n  'Read it.'\n  raise InvalidInput('no date')"
    ),
    "an array's shape": (
        "def add(weights: npt.NDArray[np.int64]) -> int:\n  'Add up; one for each pair.'"
    ),
    "a unit in a name": "def weight_bits(pair) -> float:\n  'Weigh a pair.'",
    "a unit in a docstring": "def weigh(pair) -> float:\n  'Weigh a pair, in bits.'",
    "a unit below a field": (
        "class Test:\n  'A test.'\n  at_least: float\n  'Similarity, 0 to 1.'"
    ),
    "a unit below several constants": "TALL = 0.1\nSHORT = 0.4\n'Shares of all people.'",
    "a unit in a comment": "# A share of all people.\nTALL = 0.1",
}


@pytest.mark.parametrize(("source", "complaint"), WANTING.values(), ids=WANTING)
def test_a_docstring_that_leaves_a_caller_guessing_is_found(source: str, complaint: str) -> None:
    assert any(found.endswith(complaint) for found in complaints(source))


@pytest.mark.parametrize("source", ENOUGH.values(), ids=ENOUGH)
def test_a_docstring_that_says_enough_is_left_alone(source: str) -> None:
    assert complaints('"""An example."""\n' + source) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_public_docstrings_leave_no_caller_guessing(folder: str) -> None:
    missed = [
        complaint
        for path in code_files()
        if path.relative_to(ROOT).parts[0] == folder
        for complaint in complaints(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert not missed, "\n".join(missed)

"""Reads the packaged data files, once, when the modules that use them are imported."""

from __future__ import annotations

import csv
import tomllib
from importlib.resources import files
from typing import Any


def read_tables(name: str) -> dict[str, Any]:
    """The tables of a TOML file in `data/`."""
    return tomllib.loads(_text(name))


def read_words(table: str, key: str) -> frozenset[str]:
    """One list of words, in capitals, of `data/words.toml`. Raises KeyError if it is not there."""
    return frozenset(_WORDS[table][key].split())


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file in `data/`, each column name -> text."""
    return list(csv.DictReader(_text(name).splitlines()))


def _text(name: str) -> str:
    return files("mpi.standardise").joinpath("data", name).read_text("utf-8")


_WORDS = read_tables("words.toml")

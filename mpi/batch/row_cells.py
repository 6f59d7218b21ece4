"""How a value is got out of a row: from a list of texts, or from a JSON object by dotted path.

Of a region's 100 million cells most are plain texts, so this is where reading a feed spends its
time; everything that can be decided before the first row is decided here. A missing value is None
or an empty text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from mpi.errors import InvalidRecord

Row = Any
"""A list of texts in the order of the header, or a JSON object."""
ReadText = Callable[[Row], str | None]


class TextCells:
    """Cells of a row that is a list of texts."""

    def __init__(self, header: Sequence[str], empty: frozenset[str]) -> None:
        self._places = {name: place for place, name in enumerate(header)}
        self._empty = empty

    def prepare(self, row: list[str]) -> list[str]:
        """The row without outer spaces and without what stands for no value."""
        cells = [cell.strip() for cell in row]
        empty = self._empty
        return ["" if cell in empty else cell for cell in cells] if empty else cells

    def read_value(self, name: str) -> Callable[[Row], Any]:
        """What reads a column; an optional column that the file lacks is empty."""
        return itemgetter(self._places[name]) if name in self._places else read_nothing

    def read_text(self, name: str, join: str) -> ReadText:  # noqa: ARG002
        """The same: every cell is one text (see `ObjectCells.read_text`)."""
        return self.read_value(name)


class ObjectCells:
    """Members of a JSON object by dotted path; what is absent is empty."""

    def __init__(self, empty: frozenset[str]) -> None:
        self._empty = empty

    def prepare(self, row: Row) -> Row:
        """Objects are read as they are."""
        return row

    def read_value(self, name: str) -> Callable[[Row], Any]:
        """What reads a member, whatever it is."""
        *outer, last = name.split(".")
        if not outer:
            return lambda row: row.get(last)

        def read(row: Row) -> Any:
            for key in outer:
                row = row.get(key)
                if row is None:
                    return None
                if type(row) is not dict:
                    raise InvalidRecord(f"{name}: an object is expected around it")
            return row.get(last)

        return read

    def read_text(self, name: str, join: str) -> ReadText:
        """What reads a member as one text; the texts of a list are joined.

        What is returned raises InvalidRecord where a list or an object stands in the place of a
        text.
        """
        read_value, empty = self.read_value(name), self._empty

        def as_text(value: Any) -> str | None:
            if type(value) is list:
                return join.join(list_texts(value, name))
            text = value.strip() if type(value) is str else scalar_text(value, name)
            return None if text in empty else text

        def read(row: Row) -> str | None:
            return None if (value := read_value(row)) is None else as_text(value)

        def read_outermost(row: Row) -> str | None:
            return None if (value := row.get(name)) is None else as_text(value)

        return read if "." in name else read_outermost


Cells = TextCells | ObjectCells


def read_nothing(_row: Row) -> None:
    """Reads a column that is not there."""
    return


def scalar_text(value: Any, name: str) -> str:
    """A JSON or Parquet value as text: numbers as digits, dates as ISO 8601, truth as `true`.

    Raises:
        InvalidRecord: If it is a list or an object.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise InvalidRecord(f"{name}: a text is expected here, not a list or an object")


def list_texts(values: Sequence[Any], name: str) -> list[str]:
    """The elements of a list as texts, without empty ones.

    Raises:
        InvalidRecord: If one of them is a list or an object.
    """
    return [
        text
        for value in values
        if (text := (value if type(value) is str else scalar_text(value, name)).strip())
    ]


def as_list(value: Any) -> list[Any]:
    """A value that may be a list, one element or nothing, as a list."""
    if type(value) is list:
        return [element for element in value if element is not None]
    return [] if value is None else [value]


def objects_where(value: Any, where: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """The objects of a list that have these values.

    Raises:
        InvalidRecord: If the list holds something else than objects.
    """
    objects = as_list(value)
    for each in objects:
        if type(each) is not dict:
            raise InvalidRecord(f"{name}: objects are expected in this list")
    for key, expected in where.items():
        objects = [each for each in objects if _has(each, key, expected)]
    return objects


def _has(element: dict[str, Any], key: str, expected: str) -> bool:
    value = element.get(key)
    return value == expected or (type(value) is not str and scalar_text(value, key) == expected)

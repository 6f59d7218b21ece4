"""Kinds of column, constraint and index; each says why it is there, in `info["why"]`.

Text that is ordered or looked up has binary collation, so that both databases sort alike. An
instant is a whole number of microseconds on SQLite: small, exact and in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number that the database gives; on SQLite only `INTEGER` is the row's own number."""
KEY: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An instant: microseconds since 1970 on SQLite, `timestamptz` on PostgreSQL.

    What goes in must say its time zone, else AssertionError; what comes out is in UTC.
    """

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """The column's type in this database, as SQLAlchemy asks for it."""
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.BigInteger() if is_sqlite else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """An instant as this database takes it."""
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant must say its time zone"
        return microseconds(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """A stored instant, in UTC."""
        if value is None:
            return None
        at: datetime = from_microseconds(value) if dialect.name == "sqlite" else value
        return at.astimezone(UTC)


def microseconds(at: datetime) -> int:
    """Whole microseconds from the start of 1970, UTC, to this instant; negative before."""
    assert at.tzinfo is not None, "an instant must say its time zone"
    return (at - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=value)


def number() -> sa.Column[int]:
    """The primary key that the database gives, in order of insertion."""
    return sa.Column("number", NUMBER, sa.Identity(), primary_key=True)


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """A text that nothing is ordered by."""
    return sa.Column(name, sa.Text(), nullable=nullable)


def key(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """A text in binary collation, so that both databases order and look it up alike."""
    return sa.Column(name, KEY, nullable=nullable)


def instant(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    """A point in time (see `UtcTime`)."""
    return sa.Column(name, UtcTime(), nullable=nullable)


def reference(
    name: str, target: str, *, why: str, nullable: bool = False, primary: bool = False
) -> sa.Column[Any]:
    """A foreign key to `target` (`table.column`), which gives the type.

    With `primary` it is part of the primary key, and then never null.
    """
    kind: sa.types.TypeEngine[Any] = NUMBER if target.endswith(".number") else KEY
    foreign = sa.ForeignKey(target, info={"why": why})
    if primary:
        return sa.Column(name, kind, foreign, primary_key=True, autoincrement=False)
    return sa.Column(name, kind, foreign, nullable=nullable)


def derived_key(name: str) -> sa.Column[int]:
    """Part of a derived table's primary key: plain numbers, no foreign key."""
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)


def one_of(name: str, values: Iterable[str], *, why: str) -> sa.CheckConstraint:
    """A check that a text column holds one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{name} IN ({listed})", name=name, info={"why": why})


def check(name: str, condition: str, *, why: str) -> sa.CheckConstraint:
    """A check of a condition in SQL that both databases understand."""
    return sa.CheckConstraint(condition, name=name, info={"why": why})


def unique(*columns: str, why: str) -> sa.UniqueConstraint:
    """A rule that no two rows are equal in these columns, and the index to look them up by."""
    return sa.UniqueConstraint(*columns, info={"why": why})


def index(
    *columns: str | sa.TextClause,
    why: str,
    name: str | None = None,
    unique: bool = False,
    where: str | None = None,
) -> sa.Index:
    """An index over columns, of the rows that meet `where` if that (a condition in SQL) is given.

    Named after table and columns unless `name` says otherwise.
    """
    condition = sa.text(where) if where else None
    return sa.Index(
        name,
        *columns,
        unique=unique,
        info={"why": why},
        sqlite_where=condition,
        postgresql_where=condition,
    )

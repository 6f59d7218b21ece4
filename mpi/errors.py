"""Every way in which the index refuses or fails, with the exit status that a command ends with.

Drawn once: `api/errors.py` maps the same tree to HTTP. A message names the field and the rule and
never the value, because messages reach logs, screens and other organisations.
"""

from __future__ import annotations


class MpiError(Exception):
    """Base of every expected failure; its text is one clear sentence, safe to show to anyone."""

    exit_status = 70


class InvalidInput(MpiError):
    """The caller can fix it: a wrong value, file, option or setting."""

    exit_status = 2


class InvalidIdentifier(InvalidInput):
    """An identifier that is not of the form its kind demands."""


class InvalidRecord(InvalidInput):
    """One record, or one row of a feed, that cannot be understood."""


class InvalidModel(InvalidInput):
    """A model spec or release that is malformed or whose digest does not match its content."""


class InvalidSettings(InvalidInput):
    """A setting or a source mapping that is missing or wrong."""


class NotFound(MpiError):
    """What was asked for does not exist."""

    exit_status = 3


class UnknownPerson(NotFound):
    """No person ever had this id."""


class UnknownRecord(NotFound):
    """No source record has this key."""


class UnknownSource(NotFound):
    """No mapping of the installation names this source system."""


class UnknownTask(NotFound):
    """No task has this id."""


class UnknownClient(NotFound):
    """No client is registered under this id."""


class UnknownWebhook(NotFound):
    """No webhook has this id."""


class UnknownDecision(NotFound):
    """No decision has this number."""


class Conflict(MpiError):
    """The state has moved on: re-read and retry."""

    exit_status = 4


class StaleVersion(Conflict):
    """The caller saw an older version than the one in force."""


class TaskAlreadyDecided(Conflict):
    """The question was decided, withdrawn or claimed by somebody else meanwhile."""


class DecisionViolated(Conflict):
    """A decision in force says the opposite; it must be retracted first."""


class WrongSchema(Conflict):
    """The store was written by another version of the schema."""


class Forbidden(MpiError):
    """The caller may not do this."""

    exit_status = 5


class Unauthenticated(Forbidden):
    """Who asks has not shown who they are; the text says which rule a token or assertion broke."""


class Unavailable(MpiError):
    """Something outside the program failed; trying later can help."""

    exit_status = 6


class StorageUnavailable(Unavailable):
    """The store cannot be reached, is locked or is full."""

    def __init__(self, message: str, *, is_contention: bool = False) -> None:
        super().__init__(message)
        self.is_contention = is_contention
        """Others wrote to the same at the same time: the same work can be tried again at once."""


class LimitReached(Unavailable):
    """A limit of `mpi.limits` was reached."""


class TooManyRequests(LimitReached):
    """This caller asks more often than it may; others are served."""

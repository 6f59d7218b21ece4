"""Every way in which the index refuses or fails, with the exit status that a command ends with.

Drawn once: `api/errors.py` maps the same tree to HTTP. A message names the field and the rule and
never the value, because messages reach logs, screens and other organisations.
"""

from __future__ import annotations


class MpiError(Exception):
    """Base of every expected failure; its text is one clear sentence, safe to show to anyone.

    `exit_status` is that of a command that ends with it. Any other exception is a fault of ours and
    ends with 70 too (EX_SOFTWARE of sysexits.h), without its text.
    """

    exit_status = 70


class InvalidInput(MpiError):
    """The caller can fix it: a wrong value, file, option or setting. Exit status 2."""

    exit_status = 2


class InvalidIdentifier(InvalidInput):
    """A record key, person id or NHS number that is not of the form its kind demands."""


class InvalidRecord(InvalidInput):
    """One record, statement or row of a feed that cannot be understood."""


class InvalidModel(InvalidInput):
    """A model spec or release that is malformed or whose digest does not match its content."""


class InvalidSettings(InvalidInput):
    """A setting or a source mapping that is missing or wrong."""


class NotFound(MpiError):
    """What was asked for does not exist. Exit status 3."""

    exit_status = 3


class UnknownPerson(NotFound):
    """No person ever had this id. One that is no longer in use is no error: it leads on."""


class UnknownRecord(NotFound):
    """No source record has this key, or none that lives where only those are asked for."""


class UnknownSource(NotFound):
    """No mapping of the installation names this source system."""


class UnknownTask(NotFound):
    """No task, open or closed, has this number."""


class UnknownClient(NotFound):
    """No client is registered under this id."""


class UnknownWebhook(NotFound):
    """No webhook in use has this id."""


class UnknownDecision(NotFound):
    """No decision, in force or retracted, has this number."""


class Conflict(MpiError):
    """The state has moved on: re-read and retry. Exit status 4."""

    exit_status = 4


class StaleVersion(Conflict):
    """The caller saw an older revision, evidence or person than there is; nothing was changed."""


class TaskAlreadyDecided(Conflict):
    """The question was decided, withdrawn or claimed by somebody else meanwhile."""


class DecisionViolated(Conflict):
    """A decision in force says the opposite; it must be retracted first."""


class WrongSchema(Conflict):
    """The store was written by another version of the schema."""


class Forbidden(MpiError):
    """The caller is known and may not do this. Exit status 5."""

    exit_status = 5


class Unauthenticated(Forbidden):
    """Who asks has not shown who they are; the text says which rule a token or assertion broke."""


class Unavailable(MpiError):
    """Something outside the program failed; trying later can help. Exit status 6."""

    exit_status = 6


class StorageUnavailable(Unavailable):
    """The store cannot be reached, is locked or is full."""

    def __init__(self, message: str, *, is_contention: bool = False) -> None:
        super().__init__(message)
        self.is_contention = is_contention
        """Others wrote to the same at the same time: the same work can be tried again at once."""


class LimitReached(Unavailable):
    """A limit of `mpi.limits` was reached; the sentence names which."""


class TooManyRequests(LimitReached):
    """This caller asks more often than it may; others are served."""

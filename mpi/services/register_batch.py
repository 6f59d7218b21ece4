"""Many statements at once: each is registered or refused by itself, and they share commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from mpi.clock import Clock
from mpi.errors import Forbidden, InvalidInput, MpiError
from mpi.limits import BATCH_RECORDS_MAX
from mpi.services.disclosure import Recipient
from mpi.services.linkage_index import LinkageIndex
from mpi.services.register import Registered, submit_registration
from mpi.services.statements import keyed_statement
from mpi.storage.writer import Writer


def register_batch(
    writer: Writer,
    index: LinkageIndex,
    contents: Sequence[object],
    recipient: Recipient,
    *,
    clock: Clock,
    may_state: Callable[[str], bool] = lambda _source: True,
) -> list[Registered | MpiError]:
    """Register what each of these objects states, in order.

    Args:
        writer: Of the store.
        index: The model in force.
        contents: See `keyed_statement`; at most `BATCH_RECORDS_MAX`.
        recipient: Who says it.
        clock: Stamps what is written.
        may_state: Source system -> whether the sender may speak for it.

    Returns:
        One entry for each object, in order: what came of it, or the error for which it was refused
        (Forbidden if the sender may not speak for its source). One never depends on another.

    Raises:
        InvalidInput: If there are too many.
    """
    if len(contents) > BATCH_RECORDS_MAX:
        raise InvalidInput(f"records: must not be more than {BATCH_RECORDS_MAX}")
    submitted = [_submitted(writer, index, each, recipient, clock, may_state) for each in contents]
    return [_settled(each) for each in submitted]


def _submitted(
    writer: Writer,
    index: LinkageIndex,
    content: object,
    recipient: Recipient,
    clock: Clock,
    may_state: Callable[[str], bool],
) -> Future[Registered] | MpiError:
    try:
        statement = keyed_statement(content)
        if not may_state(statement.key.source):
            raise Forbidden("source: is not one of the client's own")
        return submit_registration(writer, index, statement, recipient, clock=clock)
    except MpiError as error:
        return error


def _settled(submitted: Future[Registered] | MpiError) -> Registered | MpiError:
    if isinstance(submitted, MpiError):
        return submitted
    try:
        return submitted.result()
    except MpiError as error:
        return error

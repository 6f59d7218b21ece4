"""Whether a text says anything: golden records ask, so that BABY never hides a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from mpi.standardise.addresses import standardise_address
from mpi.standardise.dates import standardise_birth_date
from mpi.standardise.names import standardise_family_name, standardise_given_name
from mpi.standardise.numbers import standardise_nhs_number, standardise_sex
from mpi.standardise.phones import standardise_email, standardise_phones
from mpi.standardise.postcodes import standardise_postcode

CACHED_TEXTS_MAX: Final = 200_000

# No placeholder begins with a digit, and reading an address is dear.
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "nhs_number": standardise_nhs_number,
    "given_name": lambda text: standardise_given_name(text).names,
    "family_name": lambda text: standardise_family_name(text).names,
    "date_of_birth": lambda text: standardise_birth_date(text).text,
    "sex": standardise_sex,
    "address": lambda text: "0" <= text[:1] <= "9" or standardise_address(text),
    "postcode": lambda text: standardise_postcode(text).code,
    "phone": standardise_phones,
    "email": standardise_email,
}


@lru_cache(maxsize=CACHED_TEXTS_MAX)
def is_informative(field: str, text: str) -> bool:
    """Whether a field's text is more than a placeholder; other fields always are.

    Args:
        field: Of `Demographics`.
        text: As the source wrote it.
    """
    read = _READERS.get(field)
    return read is None or bool(read(text))

"""What is true of the people of the region, before any source gets it wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

NEVER: Final = 10**6
"""A day that does not come: nobody died, changed a name."""
LONG_AGO: Final = -(10**6)
"""A day before every birth: lived here always."""
NOBODY: Final = -1


@dataclass(slots=True, kw_only=True)
class Population:
    """One entry a person in every array; days count from 1970-01-01; indexes point to people.

    Built once by `mpi.synthetic.population.make_population`, read-only afterwards.
    """

    household: Integers
    role: Codes
    sex: Integers
    is_unspecified_sex: Flags
    """Neither male nor female, everywhere."""
    birth: Integers
    """Official day of birth: 1 January for some who do not know theirs."""
    twin: Codes
    institution: Codes
    origin: Codes
    """Index into `mpi.synthetic.names.origins()`."""
    given: Texts
    middle: Texts
    """Other given names, or None."""
    known_as: Texts
    """Preferred given name, or None."""
    family: Texts
    family_before: Texts
    """Family name until `family_changed`, or None."""
    family_changed: Integers
    home: Integers
    """Dwelling now, then the ones before; indexes into `Dwellings`."""
    home_before: Integers
    home_earlier: Integers
    moved: Integers
    """Day of the move into `home`, and of the one before it."""
    moved_earlier: Integers
    death: Integers
    practice: Integers
    practice_before: Integers
    nhs_number: Integers
    nhs_number_before: Integers
    """A superseded or second number; 0 if there is none."""
    contact: Floats
    """How often somebody meets organisations; mean 1."""
    error_level: Floats
    """How often somebody's data go wrong; mean 1."""
    landline: Texts
    mobile: Texts
    mobile_before: Texts
    email: Texts
    email_before: Texts
    title: Texts
    ethnic: Texts
    language: Texts
    mother: Integers
    kin: Integers
    """Next of kin in the household, or `NOBODY`."""
    kin_relation: Texts
    """What the next of kin is to the person, or None."""
    carer: Integers
    is_homeless: Flags
    is_namesake: Flags
    """Shares given and family name with somebody in the household."""
    is_sharing_number: Flags
    """One of two people on one NHS number."""

    @property
    def people_count(self) -> int:
        """How many people there are: the length of every array."""
        return len(self.birth)


def kept_where(kept: Flags, column: Texts) -> Texts:
    """The texts of a column where the flag is set, None elsewhere; as long as both."""
    chosen = np.full(len(column), None, dtype=object)
    chosen[kept] = column[kept]
    return chosen

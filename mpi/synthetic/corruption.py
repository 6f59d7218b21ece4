"""How one text goes wrong: slips of the key, the ear and the scanner, and of custom.

Each function takes a text and numbers in [0, 1) that decide which slip and where, so that a seed
decides everything and the functions stay pure. Rates are in `errors.toml`; kinds of slip as
published (see `mpi.synthetic.check`) and as clerks make them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from mpi.synthetic.names import nicknames, spellings

KEYBOARD: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SCANNER: Final = ("ocdq", "mhn", "il1", "uv")
EAR: Final = (
    ("ph", "f"), ("ck", "k"), ("ie", "y"), ("ey", "y"), ("ee", "ea"), ("ea", "ee"), ("th", "t"),
    ("gh", "g"), ("ai", "ay"), ("ay", "ai"), ("ll", "l"), ("nn", "n"), ("tt", "t"), ("ss", "s"),
    ("er", "or"), ("or", "er"), ("on", "en"), ("en", "an"), ("an", "en"), ("sk", "sc"),
    ("x", "cks"), ("z", "s"), ("w", "v"), ("v", "w"), ("y", "i"), ("i", "y"), ("c", "k"),
    ("k", "c"), ("s", "z"),
    ("m", "n"), ("n", "m"), ("d", "t"), ("b", "p"), ("l", "ll"), ("t", "tt"), ("r", "rr"),
)  # fmt: skip
NOT_DECOMPOSED: Final = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ß": "ss"})
PREFIXES: Final = ("Al-", "El-", "O'", "Mac", "Mc", "Abdel-", "van ", "de ", "von ")


def fold_accents(text: str) -> str:
    """The text in ASCII, as systems keep it that know no accents."""
    decomposed = unicodedata.normalize("NFKD", text.translate(NOT_DECOMPOSED))
    return decomposed.encode("ascii", "ignore").decode()


def slip_of_key(text: str, kind: float, where: float) -> str:
    """A neighbouring key, two letters exchanged, one lost or one doubled; rarely the first."""
    if len(text) < 3:
        return text
    at = _place(text, where)
    if kind < 0.40:
        return text[:at] + _cased(_neighbour(text[at], kind / 0.40), text[at]) + text[at + 1 :]
    if kind < 0.60 and at + 1 < len(text):
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind < 0.82:
        return text[:at] + text[at + 1 :]
    return text[: at + 1] + text[at].lower() + text[at + 1 :]


def slip_of_ear(text: str, kind: float, where: float) -> str:
    """Another way to write the same sound; the first letters mostly survive."""
    lowered = text.lower()
    start = 0 if where < 0.1 else 2
    rules = [rule for rule in EAR if lowered.find(rule[0], start) >= 0]
    if not rules:
        return slip_of_key(text, kind, where)
    old, new = rules[int(kind * len(rules))]
    at = lowered.find(old, start)
    return text[:at] + _cased(new, text[at]) + text[at + len(old) :]


def slip_of_scanner(text: str, kind: float, where: float) -> str:
    """A letter read as one of its look-alikes: O C D Q, M H N, I L 1, U V."""
    places = [at for at, letter in enumerate(text) if _look_alikes(letter)]
    if not places:
        return slip_of_key(text, kind, where)
    at = places[int(where * len(places))]
    others = _look_alikes(text[at]).replace(text[at].lower(), "")
    return text[:at] + _cased(others[int(kind * len(others))], text[at]) + text[at + 1 :]


def nickname(text: str, kind: float, where: float) -> str:
    """What somebody is called instead; most bearers' nicknames begin like the name.

    Another spelling where no nickname is listed.
    """
    names = nicknames().get(text)
    if not names:
        return another_spelling(text, kind, where)
    alike = [name for name in names if name[:2] == text[:2]]
    chosen = alike if alike and where < 0.80 else names
    return chosen[int(kind * len(chosen))]


def another_spelling(text: str, kind: float, where: float) -> str:
    """A listed variant or transliteration, else one by ear."""
    variants = spellings().get(text)
    return variants[int(kind * len(variants))] if variants else slip_of_ear(text, kind, where)


def initial(text: str, kind: float, _where: float) -> str:
    """Only the first letter, now and then with a full stop."""
    return text[:1] + ("." if kind < 0.3 else "")


def rewrite_compound(text: str, kind: float, where: float) -> str:
    """Hyphens, apostrophes, particles and double names as the next clerk writes them."""
    if "'" in text:
        return text.replace("'", "" if kind < 0.6 else " ")
    if "-" in text or " " in text:
        parts = text.replace("-", " ").split()
        if kind < 0.35:
            return (" " if "-" in text else "-").join(parts)
        if kind < 0.45:
            return "".join(parts)
        return parts[-1] if kind < 0.80 else parts[0]
    for prefix in PREFIXES:
        if text.startswith(prefix) and len(text) > len(prefix) + 1:
            return (
                prefix + " " + text[len(prefix) :]
                if kind < 0.5
                else prefix + text[len(prefix) :].lower()
            )
    if text.endswith(("ska", "cka")):
        return text[:-1] + "i"
    if text.endswith(("ski", "cki")):
        return text[:-1] + "y" if kind < 0.4 else text[:-1] + "a"
    return slip_of_ear(text, kind, where)


def digit_slip(text: str, kind: float, where: float) -> str:
    """One wrong digit, or two neighbours exchanged."""
    at = int(where * len(text))
    if kind < 0.3 and at + 1 < len(text) and text[at] != text[at + 1]:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    wrong = (ord(text[at]) - 48 + 1 + int(kind * 9)) % 10
    return text[:at] + str(wrong) + text[at + 1 :]


def postcode_slip(text: str, kind: float, where: float) -> str:
    """One wrong character in the second half of a postcode."""
    outward, _, inward = text.partition(" ")
    if len(inward) != 3:
        return text
    if where < 0.4:
        return f"{outward} {(int(inward[0]) + 1 + int(kind * 8)) % 10}{inward[1:]}"
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    wrong = letters[int(kind * len(letters))]
    at = 1 if where < 0.7 else 2
    return f"{outward} {inward[:at]}{wrong}{inward[at + 1 :]}"


def mailbox_slip(text: str, kind: float, where: float) -> str:
    """A slip of the key before the @: a wrong domain comes back, and is corrected."""
    mailbox, at, domain = text.partition("@")
    return slip_of_key(mailbox, kind, where) + at + domain


def first_word(text: str, _kind: float, _where: float) -> str:
    """Names after the first are left off."""
    return text.partition(" ")[0]


def abbreviated_street(text: str, kind: float, _where: float) -> str:
    """`Rd` for Road and the like."""
    for long, short in STREET_WORDS:
        if text.endswith(long):
            return text[: -len(long)] + short + ("." if kind < 0.15 else "")
    return text


STREET_WORDS: Final = (
    ("Road", "Rd"), ("Street", "St"), ("Avenue", "Ave"), ("Close", "Cl"), ("Drive", "Dr"),
    ("Lane", "La"), ("Gardens", "Gdns"), ("Crescent", "Cres"), ("Court", "Ct"), ("Place", "Pl"),
    ("Terrace", "Terr"), ("Square", "Sq"), ("Grove", "Gr"),
)  # fmt: skip

Slip = Callable[[str, float, float], str]


def family_slip(text: str, kind: float, where: float) -> str:
    """Any of the slips that befall a family name, in their proportions."""
    slips: tuple[Slip, ...] = (slip_of_key, slip_of_ear, slip_of_scanner)
    chosen = 0 if where < 0.5 else 1 if where < 0.85 else 2
    return slips[chosen](text, kind, where * 7 % 1)


def _place(text: str, where: float) -> int:
    """Where the slip happens: in one case of twelve within the first two letters."""
    if where < 0.08:
        return int(where / 0.08 * 2)
    return 2 + int((where - 0.08) / 0.92 * (len(text) - 2))


def _neighbour(letter: str, kind: float) -> str:
    for row in KEYBOARD:
        at = row.find(letter.lower())
        if at >= 0:
            near = row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
            return near[int(kind * len(near))]
    return "e"


def _look_alikes(letter: str) -> str:
    return next((group for group in SCANNER if letter.lower() in group), "")


def _cased(new: str, old: str) -> str:
    return new[:1].upper() + new[1:] if old.isupper() else new

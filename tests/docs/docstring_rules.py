"""Every public docstring gives what types cannot say: shapes, units, errors and source.

Read from the syntax trees of all code but the migrations, so no module is imported. A rule can
tell that something is missing, never that it is right: that is the reader's work. `python -m
tests.docs.docstring_rules` prints all that a rule misses, and how much there is.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("mpi", "api", "benchmarks")

# What holds many values: whoever gets one must be told how they are laid out.
ARRAY_TYPES = re.compile(
    r"\b(?:np\.ndarray|NDArray|pa\.(?:Table|Array|ListArray|ChunkedArray|RecordBatch(?:Reader)?)"
    r"|duckdb\.DuckDBPy(?:Connection|Relation))\b"
)
SHAPE_WORDS = re.compile(
    r"\b(?:shapes?|columns?|rows?|tables?|views?|matrix|elements?|entry|entries"
    r"|one (?:for|per|of each|value|number|text|flag)|(?:for|of|per) (?:each|every)"
    r"|in (?:the|their) order|as many|parallel)\b",
    re.IGNORECASE,
)
FLOATS = re.compile(r"\bfloat(?:64|32)?\b")
UNITS = (
    r"bits?|(?:milli|micro)?seconds?|minutes?|hours?|days?|years?|k?m|kilometres?|bytes?|mib|log"
    r"|shares?|probability|probabilities|odds|counts?|number|frequency|frequencies|rates?"
    r"|precision|recall|f1|per|percent|ratio|factor|times|exponent|0 to 1|chances?|kappa"
    r"|similarity|deviations?|pairs|people"
)
UNIT_IN_NAME = re.compile(rf"(?:^|_)(?:{UNITS}|m?s)(?:_|$)", re.IGNORECASE)
UNIT_IN_TEXT = re.compile(rf"\b(?:{UNITS})\b|%", re.IGNORECASE)

# A published technique, and who is to be named in the module whose docstrings speak of it.
SOURCES = {
    "Fellegi": "1969",
    "Jaro-Winkler": "1990",
    "Levenshtein": "1965|1966|1964",
    "expectation.maximi[sz]ation": "Dempster",
    "B-cubed": "Bagga",
    "Wilson": "1927",
    "Clopper": "1934",
    "Soundex": "Russell|1918",
    "Metaphone": "Philips",
    "Horvitz": "1952",
    "isotonic": "Ayer|Barlow|1955|1972",
    "Zipf": "1949|1935",
    "Damm": "2004",
    "Luhn": "1954|7812",
}


@dataclass(frozen=True)
class Definition:
    """A public module, class, function or method, and the module in which it stands."""

    module: ast.Module
    lines: list[str]
    name: str
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", ast.get_docstring(self.node) or "")

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef)


def definitions(source: str) -> Iterator[Definition]:
    """All that callers may use, in the order of the file; what is in a function is its own."""
    module, lines = ast.parse(source), source.splitlines()
    yield Definition(module, lines, "module", module)
    yield from _members(module, lines, module, "")


def _members(
    module: ast.Module, lines: list[str], owner: ast.Module | ast.ClassDef, before: str
) -> Iterator[Definition]:
    for node in owner.body:
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield Definition(module, lines, before + node.name, node)
            if isinstance(node, ast.ClassDef):
                yield from _members(module, lines, node, f"{before}{node.name}.")


# --- the rules: each yields what it misses in one definition ---------------------------------


def undocumented(found: Definition) -> Iterator[str]:
    if not found.text:
        yield "has no docstring"


def unnamed_errors(found: Definition) -> Iterator[str]:
    """Errors that a caller gets from the body itself, or from private functions it calls.

    Callers of a command or a route meet a status and no class: that of an `MpiError` is said for
    all doors at once (docs/interfaces), any other beside the door.
    """
    errors = raised(found)
    if is_door(found):
        errors -= set(error_bases())
        errors = set() if re.search(r"\bstatus\b", found.text) else errors
    for error in sorted(errors):
        names = (error, *ancestors(error))
        if not any(re.search(rf"\b{name}\b", found.text) for name in names):
            yield f"does not name {error}"


def unshaped(found: Definition) -> Iterator[str]:
    """Arrays, Arrow data and databases in its annotations need words for how they are laid out."""
    kinds = {kind for note in annotations(found.node) for kind in array_types(note, found.module)}
    if kinds and not SHAPE_WORDS.search(found.text):
        yield f"does not say the shape, rows or columns of {', '.join(sorted(kinds))}"


def unitless(found: Definition) -> Iterator[str]:
    """A fraction that is returned or kept has a unit, in its name or where it is described."""
    if UNIT_IN_TEXT.search(found.text) and not isinstance(found.node, ast.Module):
        return
    returned = getattr(found.node, "returns", None)
    if returned and FLOATS.search(ast.unparse(returned)) and not UNIT_IN_NAME.search(found.name):
        yield "does not say the unit of what it returns"
    for name, prose in fractions(found.node, found.lines):
        if not UNIT_IN_NAME.search(name) and not UNIT_IN_TEXT.search(prose):
            yield f"does not say the unit of {name}"


def unsourced(found: Definition) -> Iterator[str]:
    """A module that speaks of a published technique says once where it was published."""
    if isinstance(found.node, ast.Module):
        prose = module_prose(found.module)
        for technique, source in SOURCES.items():
            if re.search(technique, prose) and not re.search(source, prose):
                yield f"speaks of {technique}, and does not name its source ({source})"


RULES: tuple[Callable[[Definition], Iterator[str]], ...] = (
    undocumented,
    unnamed_errors,
    unshaped,
    unitless,
    unsourced,
)


def complaints(source: str, path: str = "mpi/example.py") -> list[str]:
    """All that the rules miss in the text of one file, each with its place."""
    return [
        f"{path}:{getattr(found.node, 'lineno', 1)} {found.name} {complaint}"
        for found in definitions(source)
        for rule in RULES
        for complaint in rule(found)
    ]


# --- what the rules read from a syntax tree --------------------------------------------------


def annotations(node: ast.AST) -> Iterator[ast.expr]:
    """Of a function's parameters and result, or of a class's fields."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        given = node.args
        others = [other for other in (given.vararg, given.kwarg) if other]
        for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, *others):
            if argument.annotation:
                yield argument.annotation
        if node.returns:
            yield node.returns
    elif isinstance(node, ast.ClassDef):
        yield from (field.annotation for field in node.body if isinstance(field, ast.AnnAssign))


def fractions(owner: ast.AST, lines: list[str]) -> Iterator[tuple[str, str]]:
    """Fractional constants of a module and fields of a class, and what is written beside them."""
    body = owner.body if isinstance(owner, ast.Module | ast.ClassDef) else []
    for at, node in enumerate(body):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and not target.id.startswith("_") and is_fraction(node):
            after = body[at + 1 :] if isinstance(owner, ast.Module) else body[at + 1 : at + 2]
            yield target.id, f"{comment(lines, node.lineno)} {described(node, after, lines)}"


def described(node: ast.stmt, after: list[ast.stmt], lines: list[str]) -> str:
    """The string below an assignment, or below those that follow it without an empty line."""
    below = next((each for each in after if isinstance(each, ast.Expr)), None)
    if below is None or not all(map(str.strip, lines[node.lineno : below.lineno])):
        return ""
    return ast.unparse(below)


def is_fraction(node: ast.stmt) -> bool:
    """Whether an assignment is annotated as a float, or is a constant made of any."""
    note, value = getattr(node, "annotation", None), getattr(node, "value", None)
    if note and FLOATS.search(ast.unparse(note)):
        return True
    target = getattr(node, "target", None) or node.targets[0]
    values = ast.walk(value) if value and target.id.isupper() else ()
    return any(isinstance(getattr(each, "value", None), float) for each in values)


def comment(lines: list[str], line: int) -> str:
    """What is written beside a line, and above it as far as the last empty line."""
    above = lines[: line - 1]
    block = above[max((at + 1 for at, text in enumerate(above) if not text.strip()), default=0) :]
    return " ".join(text.partition("#")[2] for text in (*block, lines[line - 1]))


def is_door(found: Definition) -> bool:
    """Whether it is a command of Typer or a route of FastAPI, by a decorator or by hand."""
    verbs = {"command", "callback", "get", "post", "put", "patch", "delete"}
    name = getattr(found.node, "name", "")
    calls = [node for node in ast.walk(found.module) if isinstance(node, ast.Call)]
    by_hand = [call.func for call in calls if name in map(ast.unparse, call.args)]
    makers = (*getattr(found.node, "decorator_list", ()), *by_hand)
    return any(
        isinstance(maker, ast.Call) and getattr(maker.func, "attr", "") in verbs for maker in makers
    )


def array_types(note: ast.expr, module: ast.Module) -> set[str]:
    """Names of arrays in an annotation; a name that this module or another gives to one counts."""
    text = ast.unparse(note)
    aliases = {name for name in re.findall(r"\b[A-Z]\w+", text) if name in array_names(module)}
    return aliases | set(ARRAY_TYPES.findall(text))


def array_names(module: ast.Module) -> set[str]:
    """Aliases of array types that a module makes (`Bits = NDArray[float64]`) or imports."""
    names = set()
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if ARRAY_TYPES.search(ast.unparse(node.value)) and node.targets[0].id[1:].islower():
                names.add(node.targets[0].id)
        elif isinstance(node, ast.ImportFrom) and node.module:
            made = made_array_names(node.module)
            names.update(alias.name for alias in node.names if alias.name in made)
    return names


@cache
def made_array_names(module: str) -> frozenset[str]:
    path = ROOT / (module.replace(".", "/") + ".py")
    if module.split(".")[0] not in FOLDERS or not path.is_file():
        return frozenset()
    return frozenset(array_names(ast.parse(path.read_text("utf-8"))))


def raised(found: Definition) -> set[str]:
    """Public exceptions that leave a function; of a class, those of its making (`__init__`)."""
    functions = {
        node.name: node
        for node in (*found.module.body, *siblings(found))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    if isinstance(found.node, ast.ClassDef):
        making = {"__init__", "__post_init__", "__new__"}
        own = [node for node in found.node.body if getattr(node, "name", "") in making]
        return set().union(*(leaving(node, functions, frozenset()) for node in own))
    return leaving(found.node, functions, frozenset()) if found.is_function else set()


def siblings(found: Definition) -> list[ast.stmt]:
    """The body of the class in which a method stands, or of the class itself."""
    for node in ast.walk(found.module):
        if isinstance(node, ast.ClassDef) and (found.node is node or found.node in node.body):
            return node.body
    return []


def leaving(
    node: ast.AST,
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef],
    seen: frozenset[str],
) -> set[str]:
    """What a piece of code raises and does not catch, through private functions too."""
    if isinstance(node, ast.Try):
        inside = set().union(*(leaving(part, functions, seen) for part in node.body))
        caught = {
            name.split(".")[-1]
            for handler in node.handlers
            for name in re.findall(r"[\w.]+", ast.unparse(handler.type or ast.Name("Exception")))
        }
        kept = {e for e in inside if not caught & {e, "Exception", *ancestors(e)}}
        rest = (*node.handlers, *node.orelse, *node.finalbody)
        return kept.union(*(leaving(part, functions, seen) for part in rest))
    names = set()
    for child in ast.iter_child_nodes(node):
        if not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
        ):
            names |= leaving(child, functions, seen)
    if isinstance(node, ast.Raise) and node.exc:
        names |= error_names(node.exc, functions)
    called = called_name(node) if isinstance(node, ast.Call) else ""
    if called.startswith("_") and called in functions.keys() - seen:
        names |= leaving(functions[called], functions, seen | {called})
    return names


def called_name(call: ast.Call) -> str:
    """`_check` of `_check(...)` and of `self._check(...)`, else what no function is called."""
    if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in {"self", "cls"}:
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def error_names(
    raised_value: ast.expr, functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef]
) -> set[str]:
    """The class of a raised value; a variable is somebody else's error, raised again."""
    value = raised_value.func if isinstance(raised_value, ast.Call) else raised_value
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    made_by = functions.get(name)
    if made_by and made_by.returns:
        name = ast.unparse(made_by.returns)
    return {name} if name[:1].isupper() and name != "Exception" else set()


@cache
def error_bases() -> dict[str, tuple[str, ...]]:
    tree = ast.parse((ROOT / "mpi" / "errors.py").read_text("utf-8"))
    return {
        node.name: tuple(ast.unparse(base) for base in node.bases)
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def ancestors(error: str) -> tuple[str, ...]:
    """The classes of `mpi.errors` from which an error comes, the nearest first."""
    bases = [base for base in error_bases().get(error, ()) if base in error_bases()]
    return tuple(name for base in bases for name in (base, *ancestors(base)))


def module_prose(module: ast.Module) -> str:
    """All docstrings of a module, private ones too."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(module) if isinstance(node, kinds)]
    return " ".join(ast.get_docstring(node) or "" for node in nodes)


def code_files() -> list[Path]:
    """All code but the migrations, which Alembic calls and nobody else."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [path for path in paths if "migrations" not in path.parts]


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for path in code_files():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        counts[name.rpartition("/")[0]] += len(list(definitions(text)))
        print("".join(f"{complaint}\n" for complaint in complaints(text, name)), end="")  # noqa: T201
    print(f"{counts.total()} public definitions: {dict(counts)}")  # noqa: T201

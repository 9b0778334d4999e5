"""Reads the imports of a module from its compiled code.

When a new version of a module becomes current, the code server rebinds the names that other modules
have imported from that module at their top level. (Erlang needs no such step, because its compiler
resolves -import.) Imports inside functions and classes are not rebound, because they run later or
bind a name elsewhere. They are read nevertheless, so that a plan can report imports that would fail.

Rejected: reading the imports from a syntax tree. Python 3.11 can't build two trees at the same time, because all
threads share one depth counter (python/cpython#106905). Formatting a traceback may build a tree, so it could fail with
a SystemError while another thread reads imports.
"""

from __future__ import annotations

import dis
import inspect
from importlib.util import resolve_name
from types import CodeType
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
_ATTRIBUTE_READS = ("LOAD_ATTR", "LOAD_METHOD")
_STATEMENT_ENDS = frozenset({"STORE_NAME", "STORE_GLOBAL", "STORE_SUBSCR", "STORE_ATTR", "POP_TOP", "RETURN_VALUE"})
"""The instructions that may end a statement, apart from conditional jumps."""


class Import(msgspec.Struct, frozen=True):
    """One imported name, or one module in an `import module` statement.

    `name` is None for `import module`, and "*" for a star import. `alias` is the name that the import binds. `bound` is
    true for an import at the module's top level.
    """

    module: str
    name: str | None
    alias: str
    bound: bool


class Imports(msgspec.Struct, frozen=True):
    """All imports of one version.

    `modules` are the imported modules. `names` are the global names that the version's code reads; they are recorded
    only for a version with star imports. `own` are the names that the version's body deletes, or binds by a statement
    other than an import; they are recorded only for a version that imports names at its top level.
    """

    entries: tuple[Import, ...]
    modules: frozenset[str]
    names: frozenset[str]
    own: frozenset[str]


def read_imports(code: CodeType, package: str) -> Imports:
    """Return the imports of a module; relative imports are resolved against `package`."""
    entries = tuple(_entries(code, package, bound=True))
    starred = any(entry.name == "*" for entry in entries)
    names = frozenset(_globals_read(code)) if starred else frozenset()
    own = frozenset(_bound_otherwise(code)) if any(entry.bound for entry in entries) else frozenset()
    return Imports(entries, frozenset(entry.module for entry in entries), names, own)


def _entries(code: CodeType, package: str, *, bound: bool) -> Iterator[Import]:
    if _IMPORT_NAME in code.co_code[::2]:
        yield from _statements(code, package, bound=bound)
    for inner in inner_code(code):
        yield from _entries(inner, package, bound=False)


def _statements(code: CodeType, package: str, *, bound: bool) -> Iterator[Import]:
    """Yield the imports of one code object, without those of the functions and classes that it defines."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for at, step in enumerate(steps):
        if step.opname != "IMPORT_NAME":
            continue
        level, names = steps[at - 2].argval, steps[at - 1].argval
        module = _absolute(step.argval, level, package)
        if names is None:
            yield Import(module, None, module, bound)
        elif names == ("*",):
            yield Import(module, "*", "*", bound)
        elif module:
            stores = steps[at + 2 : at + 2 + 2 * len(names) : 2]
            for name, store in zip(names, stores, strict=True):
                yield Import(module, name, store.argval, bound)


def _bound_otherwise(code: CodeType) -> Iterator[str]:
    before = ""
    for step in dis.get_instructions(code):
        if step.opname == "DELETE_NAME" or (
            step.opname == "STORE_NAME" and before not in ("IMPORT_NAME", "IMPORT_FROM")
        ):
            yield step.argval
        if step.opname != "EXTENDED_ARG":
            before = step.opname


def modules_used_by_body(code: CodeType, imports: Imports) -> set[str]:
    """Return the modules whose objects the body itself uses, in a call, a decorator or the bases of a class.

    For "from m import n", the result has both "m" and "m.n", because n may be a module.
    """
    read = set(_read_by_body(code))
    bound = [entry for entry in imports.entries if entry.bound]
    used = [entry for entry in bound if entry.name == "*" or entry.alias.partition(".")[0] in read]
    return {entry.module for entry in used} | {f"{entry.module}.{entry.name}" for entry in used}


def _read_by_body(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            yield step.argval
    for inner in inner_code(code):
        if not inner.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
            yield from _read_by_body(inner)


class BodyRead(msgspec.Struct, frozen=True):
    """A name that a module's body reads, such as ("models", "LIMIT") for `models.LIMIT`, and the place of the read.

    `place` is the name that the reading statement binds, such as "MAX" or "Pen.width", or a line such as "line 7".
    """

    name: tuple[str, ...]
    place: str


def reads_of_body(code: CodeType) -> Iterator[BodyRead]:
    """Yield the names that the body of a module reads at its top level, and in the bodies of its classes."""
    prefix = "" if code.co_name == "<module>" else f"{code.co_qualname}."
    read: list[list[str]] = []
    chained = False  # whether a following attribute belongs to the last name
    for step in dis.get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if step.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            read.append([step.argval])
            chained = True
            continue
        chained = chained and step.opname in _ATTRIBUTE_READS
        if chained:
            read[-1].append(step.argval)
        elif step.opname in _STATEMENT_ENDS or "JUMP_IF" in step.opname:
            line = step.positions.lineno if step.positions else None
            place = f"{prefix}{step.argval}" if step.opname in ("STORE_NAME", "STORE_GLOBAL") else f"line {line}"
            yield from (BodyRead(tuple(name), place) for name in read)
            read = []
    for inner in inner_code(code):
        if not inner.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
            yield from reads_of_body(inner)


class FunctionRead(msgspec.Struct, frozen=True):
    """A global name, or an attribute of it, that a function reads, such as ("models", "Item") for `models.Item`.

    `function` is the name of the reading function, or of the outermost function around it. `is_called` is true if the
    function calls what it reads.
    """

    name: tuple[str, ...]
    function: str
    is_called: bool


def reads_of_functions(code: CodeType, names: Collection[str] = ()) -> Iterator[FunctionRead]:
    """Yield the dotted names that functions read, including methods and inner functions.

    `names` are the global names of interest; if `names` is empty, all names are yielded.
    """
    if code.co_flags & inspect.CO_OPTIMIZED and not (names and frozenset(code.co_names).isdisjoint(names)):
        function = code.co_qualname.partition(".<locals>")[0]
        yield from (FunctionRead(tuple(name), function, is_called) for name, is_called in _dotted_reads(code))
    for inner in inner_code(code):
        yield from reads_of_functions(inner, names)


def _dotted_reads(code: CodeType) -> Iterator[tuple[list[str], bool]]:
    name: list[str] = []
    is_called = False
    for step in dis.get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if not (name and step.opname in _ATTRIBUTE_READS):
            if name:
                yield name, is_called or step.opname == "PUSH_NULL"
            name, is_called = [], False
        if name or step.opname == "LOAD_GLOBAL":
            name.append(step.argval)
            is_called = is_called or step.opname == "LOAD_METHOD" or "NULL" in step.argrepr


def _absolute(module: str, level: int, package: str) -> str:
    if level == 0:
        return module
    try:
        return resolve_name("." * level + module, package)
    except ImportError:
        return ""  # the body of the module raises the same error, with its line


def _globals_read(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            yield step.argval
    for inner in inner_code(code):
        yield from _globals_read(inner)


def inner_code(code: CodeType) -> Iterator[CodeType]:
    """Return the code of the functions and classes that `code` itself defines."""
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))

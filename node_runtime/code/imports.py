"""Reads the imports of a module from its compiled code.

A commit rebinds the imports that bind a name at the module's level (in Erlang, -import needs no such step). Imports
inside functions and classes run later or bind a name elsewhere; this file lists them, so that a plan can report which
of them would fail.

A syntax tree has the same information, but Python 3.11 can't make two trees at once, because all threads share one
depth counter: a traceback that is formatted while a module is prepared could end in a SystemError
(python/cpython#106905).
"""

from __future__ import annotations

import dis
from dataclasses import dataclass
from importlib.util import resolve_name
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMPORT_NAME = dis.opmap["IMPORT_NAME"]


@dataclass(frozen=True, slots=True)
class Import:
    """One import. `name` is None for `import module`, and "*" for a star import; `alias` is the name that it binds."""

    module: str
    name: str | None
    alias: str
    bound: bool


@dataclass(frozen=True, slots=True)
class Imports:
    """All imports of one version.

    `names` are the global names that its code reads (recorded only if it has star imports). `own` are the names that
    its body deletes, or also binds by something other than an import.
    """

    entries: tuple[Import, ...]
    modules: frozenset[str]
    names: frozenset[str]
    own: frozenset[str]


def read_imports(code: CodeType, package: str) -> Imports:
    """Return the imports of a module; relative ones are resolved against `package`."""
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
    """Yield the imports of one code object, without its inner code.

    An import statement loads the level, then the names or None; IMPORT_NAME follows, then IMPORT_FROM and a store for
    each name.
    """
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

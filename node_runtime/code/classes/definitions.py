"""How a module's names come about, read from its compiled code.

What a class *is* can be seen on the class. What was done with it besides, by a decorator that also registers it,
say, can't; nor whether a name will be bound once more further down. That is all that is read here.
"""

from __future__ import annotations

import dis
from collections import Counter
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from node_runtime.code.imports import inner_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Chain = tuple[str, ...]
"""A dotted name, in parts."""

_STORES = frozenset({"STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL"})
_READS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_CHANGES = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE", "STORE_ATTR", "DELETE_ATTR"})
_CHANGING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort", "subtract",
    "symmetric_difference_update", "update",
})  # fmt: skip
_MADE = frozenset({"MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE"})


@dataclass(frozen=True, slots=True)
class Definitions:
    """`bound` says how many statements bind a global name, functions' `global` ones among them.

    `makers` has the names that are bound to a class by a `class` statement, with the dotted names in its decorators,
    and those bound to what a call returned, with the name that was called. `altered` are names whose attributes the
    body assigns. `functions` has what an undecorated `def` or a lambda gives.
    """

    bound: Mapping[str, int]
    makers: Mapping[str, tuple[Chain, ...]]
    altered: frozenset[str]
    functions: Mapping[str, CodeType]


def read_definitions(code: CodeType) -> Definitions:
    """Read a module's code."""
    steps = _steps(code)
    bound = Counter(step.argval for step in steps if step.opname in _STORES)
    for inner in inner_code(code):
        bound.update(_stored_globally(inner))
    makers = {**dict(_called(steps)), **dict(_classes(steps))}
    altered = frozenset(_altered(steps))
    return Definitions(bound, makers, altered, dict(_functions(steps)))


def changing_reads(code: CodeType) -> frozenset[int]:
    """Where a body reads a name in order to change its object: the offsets of these instructions.

    `name[key] = value`, `name.attribute = value`, `name += value` and `name.append(value)` have their place where the
    name has its own, and so has all that goes deeper, such as `name[key].append(value)`.
    """
    steps = _steps(code)
    changed = {_place(step) for step in steps if _is_change(step)}
    return frozenset(step.offset for step in steps if step.opname == "LOAD_NAME" and _place(step) in changed)


def names_mentioned(code: CodeType) -> set[str]:
    """The names that a function may read or write globally, and those of attributes; its inner functions' too."""
    return set(code.co_names).union(*map(names_mentioned, inner_code(code)))


def names_reached(code: CodeType) -> set[str]:
    """The global names that a function reads or writes, its inner functions' too."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in _READS | _STORES}
    return names.union(*map(names_reached, inner_code(code)))


def resolve(chain: Chain, namespace: Mapping[str, Any]) -> Any:
    """What a dotted name means in a module, None if that can't be said."""
    found = namespace.get(chain[0])
    for name in chain[1:]:
        found = getattr(found, name, None)
    return found


def _steps(code: CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]


def _stored_globally(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield step.argval
    for inner in inner_code(code):
        yield from _stored_globally(inner)


def _classes(steps: list[dis.Instruction]) -> Iterator[tuple[str, tuple[Chain, ...]]]:
    """A class's code begins at the line of its first decorator, and nothing else stands on its lines before it."""
    for at, step in enumerate(steps):
        if step.opname != "LOAD_BUILD_CLASS":
            continue
        body = next(after.argval for after in steps[at:] if isinstance(after.argval, CodeType))
        name = next((after.argval for after in steps[at:] if after.opname in _STORES), None)
        if name is not None:
            yield name, tuple(_chains(_from(steps, at, (body.co_firstlineno, 0))))


def _called(steps: list[dis.Instruction]) -> Iterator[tuple[str, tuple[Chain, ...]]]:
    """In `name = call(...)` the call has the place of the whole expression, and what is called is loaded first."""
    for at, step in enumerate(steps):
        before = steps[at - 1]
        if step.opname not in _STORES or not before.opname.startswith("CALL"):
            continue
        chains = list(_chains(_from(steps, at, _place(before))))
        if chains:
            yield step.argval, (chains[0],)


def _functions(steps: list[dis.Instruction]) -> Iterator[tuple[str, CodeType]]:
    for at, step in enumerate(steps):
        if step.opname == "STORE_NAME" and steps[at - 1].opname in _MADE:
            yield step.argval, next(made.argval for made in reversed(steps[:at]) if isinstance(made.argval, CodeType))


def _altered(steps: list[dis.Instruction]) -> Iterator[str]:
    """In `name.a.b = value` the object is loaded last."""
    for at, step in enumerate(steps):
        if step.opname in ("STORE_ATTR", "DELETE_ATTR"):
            target = next(before for before in reversed(steps[:at]) if before.opname not in _ATTRIBUTES)
            if target.opname in _READS:
                yield target.argval


def _is_change(step: dis.Instruction) -> bool:
    return (
        step.opname in _CHANGES
        or (step.opname in _ATTRIBUTES and step.argval in _CHANGING_METHODS)
        or (step.opname == "BINARY_OP" and step.argrepr.endswith("="))
    )


def _place(step: dis.Instruction) -> tuple[int, int]:
    place = step.positions
    return (0, 0) if place is None else (place.lineno or 0, place.col_offset or 0)


def _from(steps: list[dis.Instruction], end: int, place: tuple[int, int]) -> list[dis.Instruction]:
    """The instructions just before `end` that stand at `place` in the source or behind it."""
    begin = end
    while begin and _place(steps[begin - 1]) >= place:
        begin -= 1
    return steps[begin:end]


def _chains(steps: list[dis.Instruction]) -> Iterator[Chain]:
    chain: list[str] = []
    for step in steps:
        if step.opname in _READS:
            if chain:
                yield tuple(chain)
            chain = [step.argval]
        elif step.opname in _ATTRIBUTES and chain:
            chain.append(step.argval)
        elif chain and step.opname != "PUSH_NULL":
            yield tuple(chain)
            chain = []
    if chain:
        yield tuple(chain)

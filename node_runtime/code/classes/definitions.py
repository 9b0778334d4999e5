"""Reads from compiled code how a module defines its names.

A class object doesn't show everything that a module does with the class: which decorators were
applied, and whether another statement binds the name or assigns to an attribute. The module's code
shows this.
"""

from __future__ import annotations

import dis
from collections import Counter
from types import CodeType
from typing import TYPE_CHECKING, Any

import msgspec

from node_runtime.code.imports import inner_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DottedName = tuple[str, ...]
"""A dotted name, in parts."""

_STORES = frozenset({"STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL"})
_READS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_MUTATIONS = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE", "STORE_ATTR", "DELETE_ATTR"})
_MUTATING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort", "subtract",
    "symmetric_difference_update", "update",
})  # fmt: skip
_GLOBAL_STORES = frozenset({dis.opmap["STORE_GLOBAL"], dis.opmap["DELETE_GLOBAL"]})
_FUNCTION_MAKERS = frozenset({"MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE"})


class Definitions(msgspec.Struct, frozen=True):
    """The definitions of a module.

    `bound` has the number of statements that bind each global name, including those in functions that declare the name
    `global`. `makers` has the dotted names of the callables that made a name's object: the decorators of a `class`
    statement, or `f` in `name = f(...)`. `attribute_targets` are the names of objects to whose attributes the body
    assigns. `functions` has the code of each undecorated `def`, and of each lambda that is bound to a name.
    """

    bound: Mapping[str, int]
    makers: Mapping[str, tuple[DottedName, ...]]
    attribute_targets: frozenset[str]
    functions: Mapping[str, CodeType]


def read_definitions(code: CodeType) -> Definitions:
    """Read the definitions of a module."""
    steps = _steps(code)
    bound = Counter(step.argval for step in steps if step.opname in _STORES)
    for inner in inner_code(code):
        bound.update(_stored_globally(inner))
    makers = {**dict(_called(steps)), **dict(_classes(steps))}
    attribute_targets = frozenset(_attribute_targets(steps))
    return Definitions(bound, makers, attribute_targets, dict(_functions(steps)))


def mutating_reads(code: CodeType) -> frozenset[int]:
    """Return the offsets of the instructions that read a name in order to mutate its object.

    The instruction that mutates the object starts at the same source position as the one that reads the name. Examples
    are `name[key] = value`, `name.attribute = value`, `name += value`, `name.append(value)` and
    `name[key].append(value)`.
    """
    steps = _steps(code)
    changed = {_position(step) for step in steps if _is_mutation(step)}
    return frozenset(step.offset for step in steps if step.opname == "LOAD_NAME" and _position(step) in changed)


def names_rebound(code: CodeType) -> set[str]:
    """Return the global names that functions of a module bind or delete."""
    return {name for inner in inner_code(code) for name in _stored_globally(inner)}


def names_mentioned(code: CodeType) -> set[str]:
    """Return all global and attribute names in a function and its inner functions."""
    return set(code.co_names).union(*map(names_mentioned, inner_code(code)))


def global_names_used(code: CodeType) -> set[str]:
    """Return the global names that a function and its inner functions read or write."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in _READS | _STORES}
    return names.union(*map(global_names_used, inner_code(code)))


def resolve_dotted_name(dotted_name: DottedName, namespace: Mapping[str, Any]) -> Any:
    """Return the value of a dotted name in a module; None if it can't be resolved."""
    found = namespace.get(dotted_name[0])
    for name in dotted_name[1:]:
        found = getattr(found, name, None)
    return found


def _steps(code: CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]


def _stored_globally(code: CodeType) -> Iterator[str]:
    if not _GLOBAL_STORES.isdisjoint(code.co_code[::2]):  # few functions have one, and `dis` is slow
        for step in dis.get_instructions(code):
            if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                yield step.argval
    for inner in inner_code(code):
        yield from _stored_globally(inner)


def _classes(steps: list[dis.Instruction]) -> Iterator[tuple[str, tuple[DottedName, ...]]]:
    """Yield the name and the decorators of each class."""
    for at, step in enumerate(steps):
        if step.opname != "LOAD_BUILD_CLASS":
            continue
        body = next(after.argval for after in steps[at:] if isinstance(after.argval, CodeType))
        name = next((after.argval for after in steps[at:] if after.opname in _STORES), None)
        if name is not None:
            yield name, tuple(_dotted_names(_instructions_from(steps, at, (body.co_firstlineno, 0))))


def _called(steps: list[dis.Instruction]) -> Iterator[tuple[str, tuple[DottedName, ...]]]:
    """Yield each name that is bound to the result of a call, with the name of the callable.

    In `name = f(...)`, the callable is the first name that is loaded at or after the position of the call.
    """
    for at, step in enumerate(steps):
        before = steps[at - 1]
        if step.opname not in _STORES or not before.opname.startswith("CALL"):
            continue
        chains = list(_dotted_names(_instructions_from(steps, at, _position(before))))
        if chains:
            yield step.argval, (chains[0],)


def _functions(steps: list[dis.Instruction]) -> Iterator[tuple[str, CodeType]]:
    for at, step in enumerate(steps):
        if step.opname == "STORE_NAME" and steps[at - 1].opname in _FUNCTION_MAKERS:
            yield step.argval, next(made.argval for made in reversed(steps[:at]) if isinstance(made.argval, CodeType))


def _attribute_targets(steps: list[dis.Instruction]) -> Iterator[str]:
    """Yield the names of objects to whose attributes the body assigns."""
    for at, step in enumerate(steps):
        if step.opname in ("STORE_ATTR", "DELETE_ATTR"):
            target = next(before for before in reversed(steps[:at]) if before.opname not in _ATTRIBUTES)
            if target.opname in _READS:
                yield target.argval


def _is_mutation(step: dis.Instruction) -> bool:
    return (
        step.opname in _MUTATIONS
        or (step.opname in _ATTRIBUTES and step.argval in _MUTATING_METHODS)
        or (step.opname == "BINARY_OP" and step.argrepr.endswith("="))
    )


def _position(step: dis.Instruction) -> tuple[int, int]:
    position = step.positions
    return (0, 0) if position is None else (position.lineno or 0, position.col_offset or 0)


def _instructions_from(steps: list[dis.Instruction], end: int, position: tuple[int, int]) -> list[dis.Instruction]:
    """Return the instructions directly before the index `end` whose source positions are `position` or later."""
    begin = end
    while begin and _position(steps[begin - 1]) >= position:
        begin -= 1
    return steps[begin:end]


def _dotted_names(steps: list[dis.Instruction]) -> Iterator[DottedName]:
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

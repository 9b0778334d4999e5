"""Random states for property tests, made from the types of their fields. hypothesis has to be installed."""

from __future__ import annotations

import dataclasses
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

S = TypeVar("S")


def states(cls: type[S]) -> SearchStrategy[S]:
    """Return a strategy for objects of a state class, with random values in all fields, including fields with defaults.

    A field, or an item of a field, may be a dataclass, too. Numbers are never nan, because nan differs from itself.
    """
    strategy: SearchStrategy[S] = _strategy(cls)
    return strategy


def _strategy(hint: Any) -> Any:
    """Return the strategy for values of a type, as an annotation names it."""
    from hypothesis import strategies as st

    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of(*map(_strategy, arguments))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        named = {field.name: _strategy(hints[field.name]) for field in dataclasses.fields(hint) if field.init}
        return st.builds(hint, **named)
    if origin in (list, set, frozenset):
        makers: dict[Any, Any] = {list: st.lists, set: st.sets, frozenset: st.frozensets}
        return makers[origin](_strategy(arguments[0]))
    if origin is dict:
        return st.dictionaries(*map(_strategy, arguments))
    if origin is tuple and Ellipsis not in arguments:
        return st.tuples(*map(_strategy, arguments))
    return st.floats(allow_nan=False) if hint is float else st.from_type(hint)

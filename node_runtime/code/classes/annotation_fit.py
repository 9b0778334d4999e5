"""Checks values against annotations, to any depth: each item of a `list[int]` has to be an int.

As in type checkers, an int fits the annotation float. A value that can't be checked counts as fitting, for example if
its annotation is a name that only type checkers know, a protocol, or a type variable without a bound.
"""

from __future__ import annotations

import collections
import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeVar, Union

from node_runtime.behaviours.show.raw_reads import type_name

from .required_keys import required_keys

_UNKNOWN: Final = Any
_QUALIFIERS: Final = ("Annotated", "ClassVar", "Final", "Required", "NotRequired", "ReadOnly")
_MAPPINGS: Final = (dict, collections.OrderedDict, collections.defaultdict, types.MappingProxyType)
_MAX_DEPTH: Final = 50


class Misfit(typing.NamedTuple):
    """A part of a value that doesn't fit its annotation.

    `path` leads from the value to the part, such as "[3].size". `clause` is the end of a clause about the part, such as
    "is a str, not int".
    """

    path: str
    clause: str


def resolve(annotation: Any, namespace: Mapping[str, Any], owner: type | None = None) -> Any:
    """Return an annotation as an object, with its names looked up in `namespace`; Any if that isn't possible."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(namespace), {} if owner is None else dict(vars(owner)))
    except Exception:
        return _UNKNOWN


def find_misfit(
    value: Any, annotation: Any, namespace: Mapping[str, Any], class_for: Callable[[type], Any] = lambda cls: cls
) -> Misfit | None:
    """Return the first part of a value that doesn't fit its annotation; None if all fit.

    If the annotation names a class that will be replaced, `class_for` returns its replacement.
    """
    return _Check(namespace, class_for).misfit(value, annotation, 0)


class _Check:
    def __init__(self, namespace: Mapping[str, Any], class_for: Callable[[type], Any]) -> None:
        self._namespace = namespace
        self._class_for = class_for
        self._entered: set[tuple[int, int]] = set()
        """The values that are being checked, each with its annotation.

        They are recorded because a value may contain itself.
        """

    def misfit(self, value: Any, annotation: Any, depth: int) -> Misfit | None:
        annotation = resolve(annotation, self._namespace)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if depth > _MAX_DEPTH or annotation in (Any, object, inspect.Parameter.empty):
            return None
        if origin in (Union, types.UnionType):
            return self._union(value, annotation, arguments, depth)
        if origin is Literal:
            fits = any(type(value) is type(literal) and value == literal for literal in arguments)
            return None if fits else _unfit(value, annotation)
        inner = _inner(annotation, origin, arguments)
        if inner is not None:
            return self.misfit(value, inner, depth + 1)
        return self._instance(value, annotation, depth)

    def _instance(self, value: Any, annotation: Any, depth: int) -> Misfit | None:
        cls = type(None) if annotation is None else typing.get_origin(annotation) or annotation
        if typing.is_typeddict(cls):
            return self._typed_dict(value, cls, depth)
        if not isinstance(cls, type):
            return None
        replacement = self._class_for(cls)
        cls = replacement if isinstance(replacement, type) else cls
        if not _is_instance(value, cls):
            return _unfit(value, annotation)
        arguments, entered = typing.get_args(annotation), (id(value), id(annotation))
        if not arguments or entered in self._entered:
            return None
        self._entered.add(entered)
        found = self._parts(value, cls, arguments, depth)
        self._entered.discard(entered)
        return found

    def _union(self, value: Any, annotation: Any, arguments: tuple[Any, ...], depth: int) -> Misfit | None:
        found = [self.misfit(value, argument, depth + 1) for argument in arguments]
        if None in found:
            return None
        inside = [misfit for misfit in found if misfit is not None and misfit.path]
        return inside[0] if len(inside) == 1 else _unfit(value, annotation)

    def _typed_dict(self, value: Any, cls: Any, depth: int) -> Misfit | None:
        if not isinstance(value, dict):
            return _unfit(value, cls)
        missing = next((key for key in sorted(required_keys(cls)) if key not in value), None)
        if missing is not None:
            return Misfit("", f"has no key {missing!r}, which {type_text(cls)} requires")
        annotations = {
            key: kind for base in reversed(cls.__mro__) for key, kind in inspect.get_annotations(base).items()
        }
        annotations |= cls.__annotations__
        parts = ((f"[{key!r}]", value[key], annotations[key]) for key in value if key in annotations)
        return self._first(parts, depth)

    def _parts(self, value: Any, cls: type, arguments: tuple[Any, ...], depth: int) -> Misfit | None:
        if issubclass(cls, tuple) and isinstance(value, tuple) and not hasattr(cls, "_fields"):
            return self._tuple(value, arguments, depth)
        if isinstance(value, _MAPPINGS) and issubclass(cls, collections.abc.Mapping):
            if issubclass(cls, collections.Counter):
                arguments = (arguments[0], int)
            return self._mapping(value, arguments, depth) if len(arguments) == 2 else None
        if isinstance(value, (list, tuple, set, frozenset, collections.deque)) and len(arguments) == 1:
            kind = arguments[0]
            if issubclass(cls, collections.abc.Iterable) and not self._are_all(value, kind):
                return self._first(((f"[{at}]", item, kind) for at, item in enumerate(tuple(value))), depth)
        return None

    def _are_all(self, values: Iterable[Any], kind: Any) -> bool:
        """Return whether the class of each value is exactly the annotated class or its replacement."""
        cls = resolve(kind, self._namespace)
        if not isinstance(cls, type):
            return False
        replacement = self._class_for(cls)
        return set(map(type, values)) <= {replacement if isinstance(replacement, type) else cls}

    def _mapping(self, value: Any, arguments: tuple[Any, ...], depth: int) -> Misfit | None:
        if self._are_all(value.keys(), arguments[0]) and self._are_all(value.values(), arguments[1]):
            return None
        for key, item in list(value.items()):
            if (misfit := self.misfit(key, arguments[0], depth + 1)) is not None:
                return Misfit("", f"has a key that is {misfit.clause.removeprefix('is ')}")
            found = self._first([(f"[{_key(key)}]", item, arguments[1])], depth)
            if found is not None:
                return found
        return None

    def _tuple(self, value: tuple[Any, ...], arguments: tuple[Any, ...], depth: int) -> Misfit | None:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return self._first(((f"[{at}]", item, arguments[0]) for at, item in enumerate(value)), depth)
        kinds = () if arguments == ((),) else arguments
        if any(typing.get_origin(kind) is getattr(typing, "Unpack", None) for kind in kinds):
            return None
        if len(value) != len(kinds):
            return Misfit("", f"has {len(value)} items, not {len(kinds)}")
        return self._first(
            ((f"[{at}]", item, kind) for at, (item, kind) in enumerate(zip(value, kinds, strict=True))), depth
        )

    def _first(self, parts: Iterable[tuple[str, Any, Any]], depth: int) -> Misfit | None:
        found: Iterator[tuple[str, Misfit | None]] = (
            (path, self.misfit(item, kind, depth + 1)) for path, item, kind in parts
        )
        return next((Misfit(path + inner.path, inner.clause) for path, inner in found if inner is not None), None)


def _inner(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Any:
    """Return the annotation inside a NewType, type variable, alias or qualifier such as Final; else None."""
    if isinstance(annotation, typing.NewType):
        return annotation.__supertype__
    if isinstance(annotation, TypeVar):
        if annotation.__constraints__:
            return Union.__getitem__(annotation.__constraints__)
        return annotation.__bound__ or object
    for alias in (annotation, origin):
        if type(alias).__name__ == "TypeAliasType":
            return object if arguments else alias.__value__
    is_qualifier = getattr(origin, "__name__", getattr(origin, "_name", None)) in _QUALIFIERS
    return arguments[0] if arguments and (is_qualifier or type(annotation).__name__ == "_AnnotatedAlias") else None


def _is_instance(value: Any, cls: type) -> bool:
    if cls is float and isinstance(value, int):
        return True
    if cls is complex and isinstance(value, (int, float)):
        return True
    if getattr(cls, "_is_protocol", False) and cls.__module__ not in ("typing", "collections.abc"):
        return True
    try:
        return isinstance(value, cls)
    except TypeError:
        return True


def _unfit(value: Any, annotation: Any) -> Misfit:
    name = type_name(type(value)) if value is not None else "None"
    return Misfit("", f"is {name if value is None else _with_article(name)}, not {type_text(annotation)}")


def _with_article(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _key(key: Any) -> str:
    return repr(key) if type(key) in (str, int, bool) else f"‹{type_name(type(key))}›"


def type_text(annotation: Any) -> str:
    """Return the text of an annotation, as it is written in source code."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")

"""The shapes of objects that refer to code or to types (methods, partials and aliases), and of read-only views."""

from __future__ import annotations

import functools
import gc
import types
import typing
from collections.abc import Iterator
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape

TYPING_ALIAS: Final[type] = type(typing.Iterator[int])
"""The class of the aliases of user-defined generic classes, and of most of typing's own."""


class MethodShape(Shape):
    """A bound method."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "__self__"), value.__self__
        yield ("attribute", "__func__"), value.__func__

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return types.MethodType(part(value.__func__), part(value.__self__))


class PartialShape(Shape):
    """A `functools.partial`."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for name in ("func", "args", "keywords"):
            yield ("attribute", name), getattr(value, name)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return functools.partial(part(value.func), *part(value.args), **part(value.keywords))


class ProxyShape(Shape):
    """A read-only view of a dict."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "mapping"), gc.get_referents(value)[0]

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return types.MappingProxyType(part(gc.get_referents(value)[0]))


class AliasShape(Shape):
    """A generic class with its arguments, such as `list[Point]`, or the `__orig_class__` of a `Box[int](…)`."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for name in ("__origin__", "__args__"):
            yield ("attribute", name), getattr(value, name)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        origin, arguments = part(value.__origin__), part(value.__args__)
        if type(value) is types.GenericAlias:
            return types.GenericAlias(origin, arguments)
        # Not origin[arguments]: that would run code of the class, and typing would cache the result.
        return type(value)(origin, arguments, inst=value._inst, name=value._name)


class BuiltinMethodShape(Shape):
    """A method of a builtin object, such as the `append` of a list."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "__self__"), value.__self__

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        owner = part(value.__self__)
        declared = (namespace_of(cls).get(value.__name__) for cls in mro_of(type(owner)))
        return next(one.__get__(owner) for one in declared if isinstance(one, types.MethodDescriptorType))

"""The shapes of objects that refer to code (methods and partials), and of read-only views."""

from __future__ import annotations

import functools
import gc
import types
from collections.abc import Iterator
from typing import Any

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape


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


class BuiltinMethodShape(Shape):
    """A method of a builtin object, such as the `append` of a list."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "__self__"), value.__self__

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        owner = part(value.__self__)
        declared = (namespace_of(cls).get(value.__name__) for cls in mro_of(type(owner)))
        return next(one.__get__(owner) for one in declared if isinstance(one, types.MethodDescriptorType))

"""The shapes of objects that refer to code (closures, methods and partials), and of read-only views."""

from __future__ import annotations

import functools
import gc
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape


class ClosureShape(Shape):
    """The shape of a function that has no name in its module: a lambda, or a function that a function has made.

    The shape has the code and the globals of the new function. The default values and the closure come from the old
    function.
    """

    def __init__(self, code: types.CodeType, namespace: dict[str, Any], label: str, *, replaced: bool) -> None:
        self.label = label
        self.replaced = replaced
        self._code = code
        self._namespace = namespace

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield ("attribute", name), cell
        for name in ("__defaults__", "__kwdefaults__", "__dict__"):
            yield ("attribute", name), getattr(value, name)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        cells = dict(zip(value.__code__.co_freevars, value.__closure__ or (), strict=True))
        closure = tuple(part(cells[name]) for name in self._code.co_freevars)
        new = types.FunctionType(self._code, self._namespace, value.__name__, part(value.__defaults__), closure)
        new.__kwdefaults__ = part(value.__kwdefaults__)
        new.__dict__.update(part(value.__dict__))
        new.__qualname__, new.__module__ = value.__qualname__, value.__module__
        return new


class CellShape(Shape):
    """The shape of a variable of a closure. Functions that share the old variable share the new one."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        with suppress(ValueError):  # it is empty
            yield ("attribute", "cell_contents"), value.cell_contents

    def begin(self, value: Any) -> Any:
        return types.CellType()

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        new.cell_contents = part(value.cell_contents)
        return new


class MethodShape(Shape):
    """The shape of a bound method."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "__self__"), value.__self__
        yield ("attribute", "__func__"), value.__func__

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return types.MethodType(part(value.__func__), part(value.__self__))


class PartialShape(Shape):
    """The shape of a `functools.partial`."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for name in ("func", "args", "keywords"):
            yield ("attribute", name), getattr(value, name)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return functools.partial(part(value.func), *part(value.args), **part(value.keywords))


class ProxyShape(Shape):
    """The shape of a read-only view of a dict."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "mapping"), gc.get_referents(value)[0]

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return types.MappingProxyType(part(gc.get_referents(value)[0]))


class BuiltinMethodShape(Shape):
    """The shape of a method of a builtin object, such as the `append` of a list."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "__self__"), value.__self__

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        owner = part(value.__self__)
        declared = (namespace_of(cls).get(value.__name__) for cls in mro_of(type(owner)))
        return next(one.__get__(owner) for one in declared if isinstance(one, types.MethodDescriptorType))

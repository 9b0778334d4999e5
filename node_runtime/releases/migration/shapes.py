"""The kinds of objects that the default migration knows: how to read their parts, and how to make new objects.

There is one shape for each class, and it is made once. No shape changes an old object.
"""

from __future__ import annotations

import contextvars
import enum
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import module_of, raw_attributes, type_name
from node_runtime.code import HotModule
from node_runtime.code.classes.record_fields import record_fields

from .closures import NotFound
from .hidden_parts import reader_for
from .holders import RUNTIME_RECORDS, is_holder
from .layouts import Base, Layout, base_of
from .targets import GONE

PathStep = tuple[str, Any]
"""A step of a path: ("attribute", name), ("item", key or number) or ("key", key); ("item", ...) for an unknown step."""
PartOf = Callable[[Any], Any]
"""Returns the new object for a part: the part itself if it needs no change."""

_OWN_PACKAGE: Final = __name__.partition(".")[0]
_CODE: Final = (types.FunctionType, type)
KEYED: Final = (dict, set, frozenset)
"""The containers that keep only one of several equal entries."""
LEAF_CLASSES: Final = frozenset(map(id, (
    type(None), bool, int, float, complex, str, bytes, bytearray, type(Ellipsis), range, slice, types.ModuleType,
    types.CodeType,
)))  # fmt: skip


class Shape:
    """The shape of objects that have no parts and stay as they are, and the base class of all other shapes."""

    replaced = False
    """Whether an object of this shape has to change even if none of its parts changes."""
    is_found_in_target = False
    """Whether the new object is one that the target has already: a member of an enumeration, a class or a function."""
    runs_code = False
    """Whether making a new object may run code of the release: functions of defaults, and validators."""
    label = ""
    """The class or function, "module:name"."""
    obstacle: str | None = None
    """A clause that says why no new object can be made; None if one can be made."""
    is_keyed = False
    """Whether an object of this shape is a container that keeps only one of several equal entries."""
    remedy = ""
    """What the release can do about the obstacle, apart from a code_change."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        """Yield the parts of an object, each with the step that leads to it."""
        yield from ()

    def strong_parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        """Yield the parts that an object keeps alive: all parts, except those to which it refers only weakly."""
        return self.parts(value)

    def references(self, value: Any) -> Iterable[object]:
        """Return those weak references in an object that `finish` will replace by weak references to new objects."""
        return ()

    def refusal(self, value: Any) -> str | None:
        """Return why no new object can be made for `value`; None if one can be made."""
        return self.obstacle

    def begin(self, value: Any) -> Any:
        """Return a new object without its parts; return None if the object can only be made together with its parts."""
        return None

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        """Return the new object with its parts. `new` is what `begin` has returned."""
        return value

    def check(self, value: Any, new: Any) -> None:
        """Report what is wrong with the new object. Called when all new objects are complete."""


class ObjectShape(Shape):
    """The shape of a container, or an object with attributes, of a class that the target keeps."""

    def __init__(self, cls: type, base: Base, *, is_foreign: bool) -> None:
        self.cls = cls
        self.base = base
        self.layout = Layout(cls)
        self._is_foreign = is_foreign
        self._is_mapping = issubclass(cls, dict)
        self.is_keyed = issubclass(cls, KEYED)

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for step, part in self._all_parts(value):
            # Functions and classes that an object of a library holds, such as those of routes, are left to the library.
            if not (self._is_foreign and isinstance(part, _CODE)):
                yield step, part

    def _all_parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        if self._is_mapping:
            for key, item in list(dict.items(value)):
                yield ("key", key), key
                yield ("item", key), item
            if issubclass(self.cls, defaultdict):
                yield ("attribute", "default_factory"), value.default_factory
        else:
            for number, item in enumerate(self.base.read(value)):
                yield ("item", number), item
        for name, attribute in self.layout.read(value).items():
            yield ("attribute", name), attribute

    def begin(self, value: Any) -> Any:
        return None if self.base.fill is None else self.base.make(self.cls, value)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        old = self.base.read(value)
        content = [part(one) for one in old]
        if self.base.fill is None:
            new = self.base.make(self.cls, value, content)
        else:
            self.base.fill(new, content)
        self.layout.fill(new, {name: part(attribute) for name, attribute in self.layout.read(value).items()})
        return new


class CodeShape(Shape):
    """The shape of a class or a function of a replaced module: each is found by its name in the target."""

    replaced = True
    is_found_in_target = True
    remedy = "keep it"

    def __init__(self, found: Any, label: str, why: NotFound | None = None) -> None:
        self.label = label
        self._found = found
        if found is GONE and "<" in label:  # a lambda, or a function or class that a function has made
            self.obstacle = f"{label}, which is in use, has no name in its module, so its successor can't be found"
            if why is not None:
                self.obstacle, self.remedy = f"{self.obstacle}: {why.reason}", why.remedy
            else:
                self.remedy = ""
        elif found is GONE:
            self.obstacle = f"the target has no {label}, which is in use"

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return self._found


class OpaqueShape(Shape):
    """The shape of an object whose parts can be read, but that can't be copied."""

    def __init__(self, cls: type, *, is_foreign: bool) -> None:
        self._layout = Layout(cls)
        self._read_hidden = None if is_foreign else reader_for(cls)
        self.label = "contextvars.Context" if _is_part_of_context(cls) else type_name(cls)
        self.obstacle = f"{self.label} holds an object of a class that is replaced, and can't be copied"

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        for name, attribute in self._layout.read(value).items():
            if not isinstance(attribute, _CODE):
                yield ("attribute", name), attribute
        if self._read_hidden is not None:
            own = None if self._layout.dict_of is None else raw_attributes(self._layout.dict_of, value)
            for part in self._read_hidden(value):
                if part is not own and not isinstance(part, _CODE):
                    yield ("item", ...), part


def _is_part_of_context(cls: type) -> bool:
    """Return whether `cls` is `contextvars.Context`, or a class without a public name that is part of a context."""
    return cls is contextvars.Context or (cls.__module__ == "builtins" and cls.__name__.startswith("hamt"))


LEAF: Final = Shape()


def kept_shape(cls: type, own_packages: Container[str]) -> Shape:
    """Return the shape of the objects of a class that the target keeps.

    Objects of libraries are not copied, because other objects may refer to them. Containers, and objects of classes
    with declared fields (such as dataclasses), are copied. `own_packages` are the packages of the replaced modules.
    """
    module = module_of(cls) or ""
    package = module.partition(".")[0]
    base = base_of(cls)
    if package in sys.stdlib_module_names:
        return _standard_shape(cls, base, package)
    if module in RUNTIME_RECORDS and base is not None:
        return ObjectShape(cls, base, is_foreign=False)
    if package == _OWN_PACKAGE or issubclass(cls, enum.Enum):
        return LEAF
    is_own = package in own_packages or is_managed(module)
    if base is None or not (is_own or base.cls is not object or record_fields(cls) is not None):
        return OpaqueShape(cls, is_foreign=True)
    return ObjectShape(cls, base, is_foreign=not is_own)


def _standard_shape(cls: type, base: Base | None, package: str) -> Shape:
    """Return the shape of the objects of a class of the standard library."""
    is_container = package == "builtins" and base is not None and base.cls is not object
    if base is not None and (is_container or package == "collections" or cls is types.SimpleNamespace):
        return ObjectShape(cls, base, is_foreign=False)
    return OpaqueShape(cls, is_foreign=False) if is_holder(cls) and not issubclass(cls, enum.Enum) else LEAF


def is_managed(module: str) -> bool:
    """Return whether the code server manages a module."""
    return issubclass(type(sys.modules.get(module)), HotModule)

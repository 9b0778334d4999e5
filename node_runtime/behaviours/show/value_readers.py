"""Readers, one for each class, that return values as text or as labelled parts and never run code of the class.

Nothing of a class is trusted: no `__repr__`, no property, no metaclass, no iterator of a subclass; attributes are read
through the interpreter's own descriptors. What depends on the class alone is computed once, because there are many
states and few classes.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import pathlib
import types
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeGuard

from node_runtime.processes.pid import Pid, Ref

OPAQUE: Final = "‹opaque›"
ELLIPSIS: Final = "…"

TextWriter: TypeAlias = Callable[[Any, int], str]
"""A function that returns the text of a value without parts, cut to a number of characters."""
LabelledParts: TypeAlias = "tuple[int, Iterable[tuple[object, object]] | None]"
"""The number of a value's parts and the labelled parts; None for a value that can't be inspected."""


class ValueReaders:
    """A cache of readers by class, for a few values in a row. It keeps the classes alive, so drop it afterwards.

    `labels` caches the names of parts: the text that is shown, and whether the name matches a secret's.
    """

    __slots__ = ("_known", "labels")

    def __init__(self) -> None:
        self.labels: dict[str, tuple[str, bool]] = {}
        self._known: dict[int, ValueReader] = {}

    def of(self, cls: type) -> ValueReader:
        """Return the reader of the values of `cls`."""
        known = self._known.get(id(cls))  # by identity: a metaclass may run code when a class is hashed
        if known is None:
            known = self._known[id(cls)] = ValueReader(cls)
        return known


class ValueReader:
    """The reader of the values of one class. `write` is None for values that have parts.

    `package` is the top-level package of the class's module, None for a class without a module
    name. `attributes` reads the attributes that a container has besides its items; None for a class
    that is not a container or has no attributes.
    """

    __slots__ = ("_read", "attributes", "cls", "name", "package", "write")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        module: object = _MODULE.__get__(cls)
        self.name = type_name(cls)
        self.package = module.partition(".")[0] if type(module) is str else None
        self.write = _writer(cls)
        self._read: Callable[[Any], LabelledParts] | None = None
        extended = issubclass(cls, _WITH_ITEMS) and not any(cls is exact for exact in _WITH_ITEMS)
        self.attributes = _attributes(cls) if extended and (_slots(cls) or _dict_descriptor(cls) is not None) else None

    def parts(self, value: Any) -> LabelledParts:
        """Return the number of parts of `value` and the labelled parts; None for a value that can't be inspected."""
        if self._read is None:
            self._read = _reader(self.cls)
        return self._read(value)


# ------------------------------------------------------------------ values without parts


def _repr(value: Any, max_length: int) -> str:
    return repr(value)


def _str(value: Any, max_length: int) -> str:
    return str(value)


_WRITTEN_BY_REPR: Final[dict[type, TextWriter]] = {
    type(None): _repr,
    bool: _repr,
    float: _repr,
    complex: _repr,
    decimal.Decimal: _str,
    datetime.date: _str,
    datetime.timedelta: _str,
    uuid.UUID: _str,
    pathlib.PosixPath: _str,
    pathlib.PurePosixPath: _str,
    Pid: _str,
    Ref: _repr,
}
_TRUSTED_ZONES: Final = (type(None), datetime.timezone, zoneinfo.ZoneInfo)
_CODE_OBJECTS: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
)


def _writer(cls: type) -> TextWriter | None:
    """Return the text writer of a class whose values have no parts; None for every other class."""
    # A class with a metaclass of its own may run code when it is hashed or compared.
    if type(cls) is type and (write := _WRITTEN_BY_REPR.get(cls)) is not None:
        return write
    if issubclass(cls, enum.Enum):
        return _enum_text
    return next((write for base, write in _LEAVES if issubclass(cls, base)), None)


def _int_text(value: int, max_length: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits < 1024 else f"‹{math.ceil(bits / 8)} bytes of int›"


def _str_text(value: str, max_length: int) -> str:
    return _quoted(str.__getitem__(value, slice(max_length)), str.__len__(value), max_length)


def _bytes_text(value: bytes, max_length: int) -> str:
    return _quoted(bytes.__getitem__(value, slice(max_length)), bytes.__len__(value), max_length)


def _bytearray_text(value: bytearray, max_length: int) -> str:
    return _quoted(bytes(bytearray.__getitem__(value, slice(max_length))), bytearray.__len__(value), max_length)


def _quoted(shown: str | bytes, length: int, max_length: int) -> str:
    return repr(shown) + (f"{ELLIPSIS} ({length:,} in all)" if length > max_length else "")


def _time_text(value: datetime.datetime | datetime.time, max_length: int) -> str:
    if type(value) is not datetime.datetime and type(value) is not datetime.time:
        return OPAQUE
    zone = type(value.tzinfo)
    if any(zone is known for known in _TRUSTED_ZONES):
        return value.isoformat()
    # isoformat() would ask the zone for its offset, and so run the code of its class, which is user code.
    return f"{value.replace(tzinfo=None).isoformat()} {type_name(zone)}"


def _type_text(value: type, max_length: int) -> str:
    return type_name(value)


def _method_text(value: types.MethodType, max_length: int) -> str:
    return _code_text(value.__func__, max_length)


def _code_text(value: Any, max_length: int) -> str:
    if not issubclass(type(value), _CODE_OBJECTS):
        return OPAQUE
    module = value.__module__ if issubclass(type(value), types.FunctionType) else None
    name = _short_text(value.__qualname__)
    return f"{_short_text(module)}:{name}" if type(module) is str else name


def _module_text(value: types.ModuleType, max_length: int) -> str:
    return _short_text(_raw_dict(value).get("__name__"))


_LEAVES: Final[tuple[tuple[type | tuple[type, ...], TextWriter], ...]] = (
    (int, _int_text),
    (str, _str_text),
    (bytes, _bytes_text),
    (bytearray, _bytearray_text),
    (type, _type_text),
    ((datetime.datetime, datetime.time), _time_text),
    (types.MethodType, _method_text),
    (_CODE_OBJECTS, _code_text),
    (types.ModuleType, _module_text),
)


def _enum_text(value: enum.Enum, max_length: int) -> str:
    return _short_text(_raw_dict(value).get("_name_", OPAQUE))


# ------------------------------------------------------------------ values with parts


_WITH_ITEMS: Final = (tuple, list, dict, set, frozenset, deque)


def _reader(cls: type) -> Callable[[Any], LabelledParts]:
    """Return the function that reads the parts of a class's values."""
    if issubclass(cls, tuple):
        names = _field_names(cls)
        return lambda value: (
            tuple.__len__(value),
            zip(
                names if len(names) == tuple.__len__(value) else range(tuple.__len__(value)),
                tuple.__iter__(value),
                strict=False,
            ),
        )
    if issubclass(cls, list):
        return lambda value: (list.__len__(value), enumerate(list.__iter__(value)))
    if issubclass(cls, dict):
        return lambda value: (dict.__len__(value), dict.items(value))
    if issubclass(cls, (set, frozenset)):
        base: Any = set if issubclass(cls, set) else frozenset
        return lambda value: (base.__len__(value), enumerate(base.__iter__(value)))
    if issubclass(cls, deque):
        return lambda value: (deque.__len__(value), enumerate(deque.__iter__(value)))
    return _attributes(cls)


def _attributes(cls: type) -> Callable[[Any], LabelledParts]:
    """Return a function that reads slots and instance attributes by name.

    For a class that has neither, the function returns None as the parts.
    """
    slots, own = _slots(cls), _dict_descriptor(cls)
    has_none = not slots and own is None
    is_exception = issubclass(cls, BaseException)

    def read(value: Any) -> LabelledParts:
        set_slots: dict[object, object] = {}
        for name, get in slots:
            try:
                set_slots[name] = get(value)
            except (AttributeError, TypeError):
                continue  # never set
        found = list(set_slots.items())
        if own is not None:
            attributes = _copy_dict(own, value)
            if "__builtins__" in attributes:
                return 0, None  # the namespace of a module
            if is_exception:
                found.append(("args", _ARGUMENTS.__get__(value)))
            found.extend(attributes.items())
        return len(found), None if has_none else found

    return read


def _slots(cls: type) -> list[tuple[str, Callable[[object], object]]]:
    """Return the slots of a class and of its bases, each with its getter."""
    return [
        (name, descriptor.__get__)
        for base in reversed(_mro(cls))
        for name, descriptor in _namespace(base).items()
        if type(descriptor) is types.MemberDescriptorType and type(name) is str and not name.startswith("__")
    ]


_MRO: Final = vars(type)["__mro__"]
_NAME: Final = vars(type)["__qualname__"]
_MODULE: Final = vars(type)["__module__"]
"""Descriptors that read a class's own attributes without its metaclass."""
_NAMESPACE: Final = vars(type)["__dict__"]
_ARGUMENTS: Final = vars(BaseException)["args"]


def _mro(cls: type) -> tuple[type, ...]:
    mro: tuple[type, ...] = _MRO.__get__(cls)
    return mro


def _namespace(cls: type) -> Mapping[str, object]:
    namespace: Mapping[str, object] = _NAMESPACE.__get__(cls)
    return namespace


def _dict_descriptor(cls: type) -> types.GetSetDescriptorType | types.MemberDescriptorType | None:
    for base in _mro(cls):
        descriptor = _namespace(base).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType or type(descriptor) is types.MemberDescriptorType:
            return descriptor
    return None


def _raw_dict(value: object) -> dict[str, object]:
    """Return a copy of the instance's attributes, even if its class defines a `__dict__` of its own."""
    descriptor = _dict_descriptor(type(value))
    return {} if descriptor is None else _copy_dict(descriptor, value)


def _copy_dict(descriptor: types.GetSetDescriptorType | types.MemberDescriptorType, value: object) -> dict[str, object]:
    try:
        found = descriptor.__get__(value)
    except (AttributeError, TypeError):
        return {}
    return dict.copy(found) if issubclass(type(found), dict) else {}


def _field_names(cls: type) -> tuple[object, ...]:
    for base in _mro(cls):
        names = _namespace(base).get("_fields")
        if type(names) is tuple:
            return names
    return ()


def type_name(cls: type) -> str:
    """Return the name of a class, prefixed with its module."""
    name = _short_text(_NAME.__get__(cls))
    module = _namespace(cls).get("__module__")
    return name if type(module) is not str or module == "builtins" else f"{_short_text(module)}.{name}"


# ------------------------------------------------------------------ text


def label(name: object, readers: ValueReaders) -> str:
    """Return the label of a part: an attribute's name, or a key."""
    if type(name) is str:
        return _short_text(name)
    if type(name) is int:
        return str(name)
    reader = readers.of(type(name))
    return escape(reader.write(name, 200)) if reader.write is not None else f"‹{reader.name}›"


def _short_text(text: object) -> str:
    """Return at most 200 characters of a string, escaped; a placeholder for any other value."""
    return escape(str.__getitem__(text, slice(200))) if _is_str(text) else OPAQUE


def _is_str(text: object) -> TypeGuard[str]:
    """Return whether `text` is a str. isinstance() would read `__class__`, which may be a property."""
    return issubclass(type(text), str)


def escape(text: str) -> str:
    """Return `text` with every character that is not printable written as in a string literal."""
    if str.isprintable(text):
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)

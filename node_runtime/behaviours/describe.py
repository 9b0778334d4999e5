"""A Python value as data to be shown, without running any code that belongs to it.

`describe` may be called by any thread at any moment, so it trusts nothing: no `__repr__`, no property, no metaclass,
no iterator of a subclass; attributes are read through the interpreter's own descriptors, and the walk ends at limits of
depth, parts, bytes and time. It takes no lock. What changes while it is read is shown as far as it was read.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import pathlib
import re
import time
import types
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeGuard

from ..processes.pid import Pid, Ref
from ..protocol.messages import Term

REDACTED: Final = "‹redacted›"
CYCLE: Final = "‹cycle›"
OPAQUE: Final = "‹opaque›"
CUT: Final = "…"
_EMPTY: Final = {"dict": "{}", "list": "[]", "tuple": "()", "set": "set()", "frozenset": "frozenset()"}

SECRET: Final = re.compile(r"passw|secret|token|key|cookie|credential", re.IGNORECASE)


@dataclass(slots=True)
class Limits:
    """How much of a value is shown: `depth` of nesting, `parts` of one container, `terms` and `size` (in characters)
    of everything together, `text` of one string, and `seconds` for the walk."""

    depth: int = 12
    parts: int = 200
    terms: int = 5000
    size: int = 200_000
    text: int = 1000
    seconds: float = 0.05


def describe(value: object, limits: Limits | None = None) -> Term:
    """`value` as a Term. Never raises, never calls into the value's classes.

    Parts whose name sounds like a secret's ("password", "secret", "token", "key", "cookie", "credential") are replaced.
    """
    return _Walk(limits or Limits()).term(value, 0)


@dataclass(slots=True)
class _Walk:
    limits: Limits
    terms: int = 0
    size: int = 0
    path: set[int] = field(default_factory=set)
    deadline: float = 0.0

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.seconds

    def term(self, value: object, depth: int) -> Term:
        """`value` and its parts."""
        type_name = self._count(_type_name(type(value)))
        text = _leaf(value, self.limits.text)
        if text is not None:
            return Term(type=type_name, text=self._count(escape(text)))
        if id(value) in self.path:
            return Term(type=type_name, text=CYCLE)
        length, parts = parts_of(value)
        if parts is None:
            return Term(type=type_name, text=OPAQUE)
        if depth >= self.limits.depth:
            return Term(type=type_name, text=CUT, cut=length)
        self.path.add(id(value))
        items = self._items(parts, depth)
        self.path.discard(id(value))
        text = _EMPTY.get(type_name, "") if length == 0 else ""
        return Term(type=type_name, text=text, items=items, cut=max(0, length - len(items)))

    def _items(self, parts: Iterable[tuple[object, object]], depth: int) -> tuple[tuple[str, Term], ...]:
        items: list[tuple[str, Term]] = []
        try:
            for name, part in islice(parts, self.limits.parts):
                if self._spent():
                    break
                label = self._count(_label(name))
                if type(name) is not int and SECRET.search(label):
                    items.append((label, Term(type=_type_name(type(part)), text=REDACTED)))
                else:
                    items.append((label, self.term(part, depth + 1)))
        except RuntimeError:
            pass  # the container changed while another thread read it
        return tuple(items)

    def _spent(self) -> bool:
        self.terms += 1
        limits = self.limits
        return self.terms > limits.terms or self.size > limits.size or time.monotonic() > self.deadline

    def _count(self, text: str) -> str:
        self.size += len(text) + 8
        return text


# ------------------------------------------------------------------ values without parts

_WRITTEN_BY_REPR: Final[dict[type, Callable[[Any], str]]] = {
    type(None): repr,
    bool: repr,
    float: repr,
    complex: repr,
    decimal.Decimal: str,
    datetime.date: str,
    datetime.timedelta: str,
    uuid.UUID: str,
    pathlib.PosixPath: str,
    pathlib.PurePosixPath: str,
    Pid: str,
    Ref: repr,
}
_OWN_ZONES: Final = (type(None), datetime.timezone, zoneinfo.ZoneInfo)
_NAMED: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
)


def _leaf(value: Any, longest: int) -> str | None:
    """The text of a value that has no parts; None for every other one."""
    kind = type(value)
    # A class with a metaclass of its own may run code when it is hashed or compared.
    if type(kind) is type and (write := _WRITTEN_BY_REPR.get(kind)) is not None:
        return write(value)
    if issubclass(kind, enum.Enum):
        return _enum_text(value)
    for base, write_base in _LEAVES:
        if issubclass(kind, base):
            return write_base(value, longest)
    return None


def _int_text(value: int, longest: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits < 1024 else f"‹{math.ceil(bits / 8)} bytes of int›"


def _str_text(value: str, longest: int) -> str:
    return _quoted(str.__getitem__(value, slice(longest)), str.__len__(value), longest)


def _bytes_text(value: bytes, longest: int) -> str:
    return _quoted(bytes.__getitem__(value, slice(longest)), bytes.__len__(value), longest)


def _bytearray_text(value: bytearray, longest: int) -> str:
    return _quoted(bytes(bytearray.__getitem__(value, slice(longest))), bytearray.__len__(value), longest)


def _quoted(shown: str | bytes, length: int, longest: int) -> str:
    return repr(shown) + (f"{CUT} ({length:,} in all)" if length > longest else "")


def _time_text(value: datetime.datetime | datetime.time, longest: int) -> str:
    if type(value) is not datetime.datetime and type(value) is not datetime.time:
        return OPAQUE
    zone = type(value.tzinfo)
    if any(zone is known for known in _OWN_ZONES):
        return value.isoformat()
    # isoformat() asks a zone for its offset, and this one's class is not the standard library's.
    return f"{value.replace(tzinfo=None).isoformat()} {_type_name(zone)}"


def _type_text(value: type, longest: int) -> str:
    return _type_name(value)


def _method_text(value: types.MethodType, longest: int) -> str:
    return _named_text(value.__func__, longest)


def _named_text(value: Any, longest: int) -> str:
    if not issubclass(type(value), _NAMED):
        return OPAQUE
    module = value.__module__ if issubclass(type(value), types.FunctionType) else None
    return f"{_plain(module)}:{_plain(value.__qualname__)}" if type(module) is str else _plain(value.__qualname__)


def _module_text(value: types.ModuleType, longest: int) -> str:
    return _plain(_raw_dict(value).get("__name__"))


_LEAVES: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any, int], str]], ...]] = (
    (int, _int_text),
    (str, _str_text),
    (bytes, _bytes_text),
    (bytearray, _bytearray_text),
    (type, _type_text),
    ((datetime.datetime, datetime.time), _time_text),
    (types.MethodType, _method_text),
    (_NAMED, _named_text),
    (types.ModuleType, _module_text),
)


def _enum_text(value: enum.Enum) -> str:
    return _plain(_raw_dict(value).get("_name_", OPAQUE))


# ------------------------------------------------------------------ values with parts


def parts_of(value: Any) -> tuple[int, Iterable[tuple[object, object]] | None]:
    """How many parts `value` has and the labelled parts; None for a value that can't be looked into."""
    kind = type(value)
    if issubclass(kind, tuple):
        names = _field_names(kind)
        labels: Iterable[object] = names if len(names) == tuple.__len__(value) else range(tuple.__len__(value))
        return tuple.__len__(value), zip(labels, tuple.__iter__(value), strict=False)
    if issubclass(kind, list):
        return list.__len__(value), enumerate(list.__iter__(value))
    if issubclass(kind, dict):
        return dict.__len__(value), dict.items(value)
    if issubclass(kind, (set, frozenset)):
        base: Any = set if issubclass(kind, set) else frozenset
        return base.__len__(value), enumerate(base.__iter__(value))
    if issubclass(kind, deque):
        return deque.__len__(value), enumerate(deque.__iter__(value))
    attributes = _attributes(value)
    return len(attributes or ()), attributes


def _attributes(value: object) -> list[tuple[object, object]] | None:
    """Slots and instance attributes by name; None when the class has neither."""
    kind = type(value)
    slots = _slots(value)
    own = _raw_dict(value)
    if "__builtins__" in own:
        return None  # a module in all but its class
    found: list[tuple[object, object]] = list(slots.items()) if slots else []
    if issubclass(kind, BaseException):
        found.append(("args", _ARGUMENTS.__get__(value)))
    found.extend(own.items())
    return found if found or slots is not None or _dict_descriptor(kind) is not None else None


def _slots(value: object) -> dict[str, object] | None:
    """The slots that are set; None when no class of the value has any."""
    found: dict[str, object] | None = None
    for base in reversed(_mro(type(value))):
        for name, descriptor in _namespace(base).items():
            if type(descriptor) is not types.MemberDescriptorType or type(name) is not str or name.startswith("__"):
                continue
            found = {} if found is None else found
            try:
                found[name] = descriptor.__get__(value)
            except (AttributeError, TypeError):
                continue  # never set
    return found


_MRO: Final = vars(type)["__mro__"]
_NAME: Final = vars(type)["__qualname__"]
_NAMESPACE: Final = vars(type)["__dict__"]
_ARGUMENTS: Final = vars(BaseException)["args"]


def _mro(kind: type) -> tuple[type, ...]:
    mro: tuple[type, ...] = _MRO.__get__(kind)
    return mro


def _namespace(kind: type) -> Mapping[str, object]:
    namespace: Mapping[str, object] = _NAMESPACE.__get__(kind)
    return namespace


def _dict_descriptor(kind: type) -> types.GetSetDescriptorType | types.MemberDescriptorType | None:
    for base in _mro(kind):
        descriptor = _namespace(base).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType or type(descriptor) is types.MemberDescriptorType:
            return descriptor
    return None


def _raw_dict(value: object) -> dict[str, object]:
    """A copy of the instance's attributes, through no `__dict__` that its class may define."""
    descriptor = _dict_descriptor(type(value))
    if descriptor is None:
        return {}
    try:
        found = descriptor.__get__(value)
    except (AttributeError, TypeError):
        return {}
    return dict.copy(found) if issubclass(type(found), dict) else {}


def _field_names(kind: type) -> tuple[object, ...]:
    for base in _mro(kind):
        names = _namespace(base).get("_fields")
        if type(names) is tuple:
            return names
    return ()


def _type_name(kind: type) -> str:
    name = _plain(_NAME.__get__(kind))
    module = next((found for base in _mro(kind)[:1] if (found := _namespace(base).get("__module__"))), None)
    if type(module) is not str or module == "builtins":
        return name
    return f"{_plain(module)}.{name}"


# ------------------------------------------------------------------ text


def _label(name: object) -> str:
    if type(name) is str:
        return _plain(name)
    if type(name) is int:
        return str(name)
    text = _leaf(name, 200)
    return escape(text) if text is not None else f"‹{_type_name(type(name))}›"


def _plain(text: object) -> str:
    """At most 200 characters of a string, escaped; a word for what should have been one."""
    return escape(str.__getitem__(text, slice(200))) if _is_str(text) else OPAQUE


def _is_str(text: object) -> TypeGuard[str]:
    """isinstance() would ask an object for its `__class__`, which may be a property."""
    return issubclass(type(text), str)


def escape(text: str) -> str:
    """`text` with everything that is not printable written as in a string literal."""
    if str.isprintable(text):
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)

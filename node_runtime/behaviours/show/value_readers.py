"""Readers of values: one for each class. They read a value as text or as labelled parts, without code of its class.

No code of a class is trusted: no `__repr__`, no property, no metaclass, no iterator of a subclass. Attributes are read
through the interpreter's own descriptors. Facts that depend only on the class are computed once for each class, because
there are many states and few classes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

from node_runtime.processes.redaction.secret_names import Secrecy, secrecy_of
from node_runtime.processes.redaction.text_redaction import MAX_SECRET_LENGTH, redact_beginning
from node_runtime.protocol.escape import escape

from .leaf_texts import int_text, leaf_writer
from .raw_reads import (
    MAX_SHORT_TEXT,
    declared_slots_of,
    dict_descriptor,
    field_names,
    is_str,
    module_of,
    mro_of,
    raw_attributes,
    short_text,
    slots_of,
    type_name,
)
from .secret_fields import Declaration, declared_fields, is_secret_class

LabelledParts: TypeAlias = "tuple[int, Iterable[tuple[object, object]] | None]"
"""The number of a value's parts, and a pair (label, part) for each part; None if the value can't be inspected."""
Label: TypeAlias = "tuple[str, Secrecy]"
"""The name of a part as it is shown, and whether this name marks the value of the part as secret."""

MAX_COPIED_ATTRIBUTES: Final = 1000
"""The attributes of an object are copied before they are read: at most this many, to save time."""
_MAX_EXAMINED: Final = MAX_SHORT_TEXT + MAX_SECRET_LENGTH
"""At most this many characters of a label are examined. At most `MAX_SHORT_TEXT` are shown."""
_WITH_ITEMS: Final = (tuple, list, dict, set, frozenset, deque)
_EXCEPTION_CLASSES: Final = ("Error", "Warning")
"""The suffixes of the slots of a sqlite3 connection that refer to exception classes of `sqlite3`."""
_ARGUMENTS: Final = vars(BaseException)["args"]


class ValueReaders:
    """A cache of readers by class, for a few values in a row. The cache keeps the classes alive, so drop it afterwards.

    `labels` caches the labels of names. `redacts` is False for comparisons: then texts and labels include secrets.
    """

    __slots__ = ("_known", "labels", "redacts")

    def __init__(self, *, redacts: bool = True) -> None:
        self.redacts = redacts
        self.labels: dict[str, Label] = {}
        self._known: dict[int, ValueReader] = {}

    def of(self, cls: type) -> ValueReader:
        """Return the reader of the values of `cls`."""
        known = self._known.get(id(cls))  # by identity: a metaclass may run code when a class is hashed
        if known is None:
            known = self._known[id(cls)] = ValueReader(cls, redacts=self.redacts)
        return known

    def label(self, name: object) -> Label:
        """Return the label of a part. `name` is the name of an attribute, or the key or the number of an item."""
        if type(name) is int:
            return int_text(name, MAX_SHORT_TEXT), Secrecy.OPEN
        if type(name) is not str:
            return self._labelled(self._key_text(name))
        known = self.labels.get(name)
        if known is None:
            known = self.labels[name] = self._labelled(name[:_MAX_EXAMINED])
        return known

    def _labelled(self, text: str) -> Label:
        if not self.redacts:
            return short_text(text), Secrecy.OPEN
        return escape(redact_beginning(text, MAX_SHORT_TEXT)), secrecy_of(text)

    def _key_text(self, key: object) -> str:
        if is_str(key):
            return str.__getitem__(key, slice(_MAX_EXAMINED))
        reader = self.of(type(key))
        return reader.write(key, MAX_SHORT_TEXT) if reader.write is not None else f"‹{reader.name}›"


class ValueReader:
    """The reader of the values of one class. `write` is None for values that have parts.

    `package` is the top-level package of the class's module; None for a class without a module name. `attributes` reads
    the attributes that a container has besides its items; None if the class is not a container or has no attributes.
    `fields` has the class's declarations about secrets in its attributes. `is_secret` is True if the values of the
    class are secrets.
    """

    __slots__ = ("_read", "attributes", "cls", "fields", "is_secret", "name", "package", "write")

    def __init__(self, cls: type, *, redacts: bool) -> None:
        self.cls = cls
        module = module_of(cls)
        self.name = type_name(cls)
        self.package = None if module is None else module.partition(".")[0]
        self.write = leaf_writer(cls, redacts=redacts)
        self.is_secret = redacts and is_secret_class(cls)
        has_fields = redacts and self.write is None and module != "builtins"
        self.fields: Mapping[str, Declaration] = declared_fields(cls) if has_fields else {}
        self._read: Callable[[Any], LabelledParts] | None = None
        extended = issubclass(cls, _WITH_ITEMS) and not any(cls is exact for exact in _WITH_ITEMS)
        self.attributes = _attributes(cls) if extended and (slots_of(cls) or dict_descriptor(cls) is not None) else None

    def parts(self, value: Any) -> LabelledParts:
        """Return the number of parts of `value`, and the labelled parts or None: see `LabelledParts`."""
        if self._read is None:
            self._read = _reader(self.cls)
        return self._read(value)


def _reader(cls: type) -> Callable[[Any], LabelledParts]:
    """Return the function that reads the parts of a class's values."""
    if issubclass(cls, tuple):
        names = field_names(cls)
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
    """Return a function that reads the slots and the instance attributes of a value, by name."""
    slots, own = declared_slots_of(cls), dict_descriptor(cls)
    if "sqlite3" in map(module_of, mro_of(cls)):
        slots = [(name, get) for name, get in slots if not name.endswith(_EXCEPTION_CLASSES)]
    has_none = not slots and own is None
    is_exception = issubclass(cls, BaseException)

    def read(value: Any) -> LabelledParts:
        set_slots: dict[object, object] = {}
        for name, get in slots:
            try:
                set_slots[name] = get(value)
            except (AttributeError, TypeError):
                continue  # this slot was never set
        found = list(set_slots.items())
        if own is not None:
            attributes = raw_attributes(own, value)
            if dict.__contains__(attributes, "__builtins__"):
                return 0, None  # the namespace of a module
            if is_exception:
                found.append(("args", _ARGUMENTS.__get__(value)))
            if (number := dict.__len__(attributes)) > MAX_COPIED_ATTRIBUTES:
                return len(found) + number, chain(found, dict.items(attributes))
            found.extend(dict.copy(attributes).items())
        return len(found), None if has_none else found

    return read

"""The change of an instance to the new version of its class: the values of new fields, and what prevents the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import mro_of, raw_dict, slots_of

from .annotation_fit import find_misfit, resolve
from .initialised_names import initialised_names
from .record_fields import NO_DEFAULT, class_attribute, record_fields
from .structs import is_struct, struct_maker

_HEAP_TYPE: Final = 1 << 9
set_class: Final = vars(object)["__class__"].__set__
"""Sets the class of an object, even if the object is frozen."""


def attributes_of(thing: Any) -> dict[str, Any]:
    """Return the attributes that an instance has in slots and in its `__dict__`, without running code of its class."""
    found: dict[str, Any] = raw_dict(thing)
    for name, get in slots_of(type(thing)):
        try:
            found[name] = get(thing)
        except AttributeError:
            continue
    return found


class FieldAdoption:
    """The change of instances from the class `old` to the class `new`, whose module has the namespace `namespace`."""

    def __init__(self, old: type, new: type, namespace: Mapping[str, Any]) -> None:
        self._old, self._new, self._namespace = old, new, namespace
        fields, new_fields = record_fields(old) or {}, record_fields(new) or {}
        self._added = [field for name, field in new_fields.items() if name not in fields]
        self._changed = [
            field
            for name, field in new_fields.items()
            if name in fields and str(fields[name].annotation) != str(field.annotation)
        ]
        hashes = class_attribute(new, "__hash__")
        self._rehashed = {*fields} != {*new_fields} and hashes is not None and hashes is not vars(object)["__hash__"]
        self._private = sorted({*_private_names(new)} - {*_private_names(old)})
        self._initialised = sorted(initialised_names(new) - initialised_names(old) - {*new_fields})
        self.layout_obstacle = _layout_obstacle(old, new)
        """Why no instance can adopt the class, as the end of a clause; None if an instance can."""

    def obstacle(self, thing: Any) -> str | None:
        """Return why an instance can't, or should not, change to the new class; None if it can.

        The result is the end of a clause about the new class, such as "has a new field `size` without a default".
        """
        return self.layout_obstacle or self._missing_field(thing) or self._missing_other(thing) or self._misfit(thing)

    def new_values(self, thing: Any) -> dict[str, Any]:
        """Return the defaults of the new fields that the instance lacks, by name. Raises what a default raises."""
        present = attributes_of(thing)
        return {
            field.name: field.default(thing)
            for field in self._added
            if field.default is not None and field.name not in present
        }

    def _missing_field(self, thing: Any) -> str | None:
        present = attributes_of(thing)
        for field in self._added:
            if issubclass(self._new, tuple):
                return f"has a new field {field.name}, for which a tuple has no place"
            if field.default is None and field.name not in present:
                return f"has a new field {field.name} without a default"
        try:
            self.new_values(thing)
        except Exception as error:
            return f"has a new field whose default raised {type(error).__name__}"
        return "has other fields, so its hash would change" if self._rehashed else None

    def _missing_other(self, thing: Any) -> str | None:
        for name in self._private:
            return f"has a new private attribute {name}"
        present = attributes_of(thing)
        for name in self._initialised:
            if name not in present and class_attribute(self._new, name) is NO_DEFAULT:
                return f"sets {name} in its initialiser, and the instance lacks it"
        return None

    def _misfit(self, thing: Any) -> str | None:
        present = attributes_of(thing)
        for field in (one for one in self._changed if one.name in present):
            annotation = resolve(field.annotation, self._namespace, self._new)
            misfit = find_misfit(present[field.name], annotation, self._namespace)
            if misfit is not None:
                return f"has a field of another type: {field.name}{misfit.path} {misfit.clause}"
        return None


def _private_names(cls: Any) -> Mapping[str, Any]:
    """Return the private attributes of a pydantic model."""
    found = class_attribute(cls, "__private_attributes__")
    return found if isinstance(found, dict) else {}


def _layout_obstacle(old: type, new: type) -> str | None:
    try:
        if is_struct(old):
            probe = struct_maker(old)()
        else:
            make: Any = next(each for each in mro_of(old) if not each.__flags__ & _HEAP_TYPE).__new__
            probe = make(old)
        set_class(probe, new)
    except TypeError as error:
        return f"has another layout ({error})"
    return None

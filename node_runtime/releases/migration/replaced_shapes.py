"""The shapes of objects whose classes the target replaces. Fields and members are found in the target by name."""

from __future__ import annotations

import enum
import types
from collections.abc import Container, Iterator
from functools import cached_property
from typing import Any

from node_runtime.behaviours.show.raw_reads import field_names, module_of, mro_of, name_of, namespace_of
from node_runtime.code.classes.annotation_fit import find_misfit, resolve
from node_runtime.code.classes.initialised_names import initialised_names
from node_runtime.code.classes.object_arrays import is_array
from node_runtime.code.classes.record_fields import (
    NO_DEFAULT,
    RecordField,
    class_attribute,
    is_cached,
    is_pydantic_model,
    record_fields,
)
from node_runtime.code.loading.function_data import CACHE

from .closures import LOCALS, code_at_same_place, function_at_same_place
from .enum_members import member_names, members_of
from .layouts import Base, Layout, base_of
from .library_shapes.array_shape import ARRAY_SHAPE
from .library_shapes.code_shapes import ClosureShape
from .library_shapes.exact_shapes import EXACT_SHAPES
from .library_shapes.zoned_shape import ZONED_SHAPE, has_plain_zone
from .named_objects import MISSING
from .pydantic_models import PydanticModel
from .report import MigrationReport
from .shapes import KEYED, LEAF, CodeShape, PartOf, PathStep, Shape, is_managed, kept_shape
from .targets import GONE, Targets, cached_as, namespace_of_class

_SMALL = (type(None), bool, int, float, complex, str, bytes)


class Shapes:
    """The shapes of all classes of one migration."""

    def __init__(self, targets: Targets, report: MigrationReport) -> None:
        self._targets = targets
        self.report = report
        self._named = {
            identity: CodeShape(GONE if one.successor is MISSING else one.successor, one.label)
            for identity, one in targets.named.items()
        }
        self._known: dict[int, Shape] = {}
        self._functions: dict[int, tuple[types.FunctionType, Shape]] = {}
        """The functions that were found, by their `id`, each with its shape."""
        self._classes: list[type] = []
        """The classes of the known shapes. References to them keep their `id` from being used for another class."""

    def of(self, value: Any) -> Shape:
        """Return the shape of a value."""
        if self._named and (named := self._named.get(id(value))) is not None:
            return named
        cls = type(value)
        known = self._known.get(id(cls))
        if known is not None:
            return LEAF if known is ZONED_SHAPE and has_plain_zone(value) else known
        if issubclass(cls, type):
            return self._code(self._targets.class_for(value), value)
        if cls is types.FunctionType:
            return self._function(value)
        if cls is CACHE:
            return self._code(cached_as(self._targets.function_for(value), value), value)
        known = self._known[id(cls)] = EXACT_SHAPES.get(id(cls)) or self._make(cls)
        self._classes.append(cls)
        return known

    @staticmethod
    def _code(found: Any, value: Any) -> Shape:
        return LEAF if found is value else CodeShape(found, f"{value.__module__}:{value.__qualname__}")

    def _function(self, function: types.FunctionType) -> Shape:
        known = self._functions.get(id(function))
        if known is None:
            known = self._functions[id(function)] = function, self._shape_of_function(function)
        return known[1]

    def _shape_of_function(self, function: types.FunctionType) -> Shape:
        """Return the shape of a function. A function without a name in its module is made anew, with its variables."""
        found = self._targets.function_for(function)
        label = f"{function.__module__}:{function.__qualname__}"
        own = function.__globals__
        if found is function:
            is_local = LOCALS in function.__code__.co_qualname and is_managed(own.get("__name__", ""))
            is_copied = is_local and function.__closure__
            return ClosureShape(function.__code__, own, label, replaced=False) if is_copied else LEAF
        if found is not GONE or "<" not in label:
            return CodeShape(found, label)
        namespace = self._targets.function_namespace(function)
        code = code_at_same_place(function, namespace)
        if isinstance(code, types.CodeType):
            return ClosureShape(code, namespace, label, replaced=True)
        named = None if code is not None else function_at_same_place(function, namespace)
        return CodeShape(GONE if named is None else named, label, code)

    def _make(self, cls: type) -> Shape:
        target = self._targets.class_for(cls)
        if target is cls:
            return ARRAY_SHAPE if is_array(cls) else kept_shape(cls, self._targets.packages)
        label = f"{module_of(cls)}:{name_of(cls)}"
        if target is GONE:
            return CodeShape(GONE, label)
        if issubclass(cls, enum.Enum) and issubclass(target, enum.Enum):
            return MemberShape(cls, target, label, self.report)
        base, target_base = base_of(cls), base_of(target)
        clause = None
        if issubclass(cls, enum.Enum) or issubclass(target, enum.Enum):
            clause = f"{label} is an enumeration in only one of the two releases"
        elif base is None or target_base is None:
            clause = f"{label} has contents that can't be copied"
        elif not _is_compatible(cls, base, target, target_base):
            clause = f"{label} is based on {base.cls.__name__}, and in the target on {target_base.cls.__name__}"
        if clause is not None or base is None or target_base is None:
            return _refused(label, clause)
        return ReplacedShape(cls, target, (base, target_base), label, self._targets, self.report)


class MemberShape(Shape):
    """The shape of a member of a replaced enumeration. The new object is the target's member of the same name."""

    replaced = True
    is_found_in_target = True

    def __init__(self, cls: Any, target: Any, label: str, report: MigrationReport) -> None:
        self.label = label
        self._target = target
        self._report = report
        self._added = tuple(name for name in target.__members__ if name not in cls.__members__)
        self._gone = tuple(name for name in cls.__members__ if name not in target.__members__)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        self._report.add_migrated(value, self.label, self._added, self._gone)
        names = member_names(value)
        if names is None:
            reason = f"{value._value_!r} of {self.label} has no name"
            self._report.add_obstacle(value, self.label, None, reason, "")
            return value
        for name in names:
            if name not in self._target.__members__:
                reason = f"{self.label} has no member {name} in the target"
                self._report.add_obstacle(value, self.label, name, reason, f"keep the member {name}")
                return value
        found = members_of(self._target, names)
        if found is None:
            reason = f"{self.label} is not a Flag in the target, so {' and '.join(names)} can't be combined"
            self._report.add_obstacle(value, self.label, None, reason, "")
        return value if found is None else found


class ReplacedShape(Shape):
    """The shape of the objects of a replaced class. A new object gets the old object's fields and attributes by name.

    If the class is a container, such as a subclass of dict, the new object gets the old object's content, too.
    """

    replaced = True

    def __init__(
        self, cls: type, target: type, bases: tuple[Base, Base], label: str, targets: Targets, report: MigrationReport
    ) -> None:
        self.label = label
        self._cls, self._target = cls, target
        self._base, self._target_base = bases
        self._report = report
        self._layout, self._target_layout = Layout(cls), Layout(target)
        self._fields, self._target_fields = record_fields(cls) or {}, record_fields(target)
        self._targets = targets
        self._namespace = targets.namespace(target)
        self._old_namespace = namespace_of_class(cls) or {}
        self._model = PydanticModel(cls) if is_pydantic_model(cls) else None
        self._target_model = PydanticModel(target) if is_pydantic_model(target) else None
        self._tuple_names = tuple(map(str, field_names(cls))) if issubclass(cls, tuple) else ()
        self._initialised = initialised_names(target) - initialised_names(cls) - {*(self._target_fields or ())}
        self._caches_hash = _caches_hash(target)
        self.is_keyed = issubclass(cls, KEYED) and issubclass(target, KEYED)
        new = self._target_fields or {}
        self._added = tuple(name for name in new if name not in self._fields)
        self._gone = tuple(name for name in self._fields if name not in new)

    @cached_property
    def runs_code(self) -> bool:  # type: ignore[override]  # computed at the first use
        if any(field.runs_code for field in (self._target_fields or {}).values()):
            return True
        return self._target_model is not None and self._target_model.runs_code()

    # ------------------------------------------------------------------ the old object

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        if not self._tuple_names:
            content = self._base.read(value)
            if issubclass(self._cls, dict):
                keys = list(dict.keys(value))
                content = content[len(content) - 2 * len(keys) :]
                for at, key in enumerate(keys):
                    yield ("key", key), key
                    yield ("item", key), content[2 * at + 1]
            else:
                yield from ((("item", at), item) for at, item in enumerate(content))
        yield from ((("attribute", name), part) for name, part in self._attributes(value).items())

    def _attributes(self, value: Any) -> dict[str, Any]:
        """Return the fields and the other attributes of an old object."""
        if self._tuple_names:
            return {**dict(zip(self._tuple_names, tuple.__iter__(value), strict=False)), **self._layout.read(value)}
        found = self._layout.read(value)
        return found if self._model is None else self._model.flattened(found)

    # ------------------------------------------------------------------ the new object

    def begin(self, value: Any) -> Any:
        if self._target_base.fill is None:
            return None
        new = self._target_base.make(self._target, value)
        if issubclass(self._cls, dict) and self._layout.is_own_dict(value):
            self._target_layout.make_own_dict(new)
        return new

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        self._report.add_migrated(value, self.label, self._added, self._gone)
        old = self._attributes(value)
        attributes = {name: part(attribute) for name, attribute in old.items()}
        content = [] if self._tuple_names else [part(one) for one in self._base.read(value)]
        if self._target_base.fill is not None:
            self._target_base.fill(new, content)
        fields = self._placed_fields(value, new, attributes)
        if self._target_base.fill is None:
            if issubclass(self._target, tuple) and self._target_fields:
                content = [fields.pop(name, None) for name in self._target_fields]
            new = self._target_base.make(self._target, value, content)
        others = self._others(value, old, attributes)
        if self._target_model is not None:
            set_names = self._model.fields_set(value) if self._model is not None else fields.keys() & old.keys()
            self._target_model.fill(new, fields, others, set_names)
        else:
            self._target_layout.fill(new, {**fields, **others})
        return new

    def _placed_fields(self, value: Any, new: Any, attributes: dict[str, Any]) -> dict[str, Any]:
        """Set the target's fields of `new` one by one, since a default may read earlier fields.

        Return the values of the fields by name.
        """
        placed: dict[str, Any] = {}
        for name, field in (self._target_fields or {}).items():
            if name in attributes:
                placed[name] = attributes[name]
            elif name in self._fields:
                continue  # it was not set in the old object either
            elif field.default is None:
                reason = f"{self.label} has a new field {name} without a default"
                self._report.add_obstacle(value, self.label, name, reason, f"give {name} a default")
                continue
            else:
                try:
                    placed[name] = field.default(new)
                except Exception as error:
                    reason = f"the default of {self.label}.{name} raised {type(error).__name__}"
                    self._report.add_obstacle(value, self.label, name, reason, f"correct the default of {name}")
                    continue
            if new is not None:
                self._target_layout.fill(new, {name: placed[name]})
        return placed

    def _others(self, value: Any, old: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes that are not fields of the target's class; report those that it can't have as lost."""
        others: dict[str, Any] = {}
        for name, attribute in attributes.items():
            if self._target_fields is not None and name in self._target_fields:
                continue
            if is_cached(self._cls, name) or name == "_attrs_cached_hash":
                continue
            declared = name in self._fields and self._target_fields is not None
            if self._target_model is not None:
                is_kept = self._target_model.holds(name, is_private=name not in self._fields)
            else:
                is_kept = not declared and self._target_layout.holds(name)
            if is_kept:
                others[name] = attribute
            else:
                self._report.add_lost(value, self.label, name, holds_data=self._holds_data(name, old[name], value))
        if self._caches_hash:
            others["_attrs_cached_hash"] = None
        return others

    def _holds_data(self, name: str, attribute: Any, value: Any) -> bool:
        if attribute is None or (
            isinstance(attribute, (str, bytes, list, tuple, dict, set, frozenset)) and not attribute
        ):
            return False
        field = self._fields.get(name)
        if (
            field is None
            or field.default is None
            or (type(attribute) not in _SMALL and not isinstance(attribute, enum.Enum))
        ):
            return True
        try:
            default = field.default(value)
        except Exception:
            return True
        return not (type(default) is type(attribute) and default == attribute)

    # ------------------------------------------------------------------ checks

    def check(self, value: Any, new: Any) -> None:
        attributes = self._target_layout.read(new)
        if issubclass(self._target, tuple) and self._target_fields:
            attributes.update(zip(self._target_fields, tuple.__iter__(new), strict=False))
        if self._target_model is not None:
            errors = list(self._target_model.errors(new))
            before = list(self._model.errors(value)) if errors and self._model is not None else []
            for name, clause in errors:
                if (name, clause) not in before:  # otherwise, the old value was already invalid
                    self._misfit(value, name, f"{self.label}.{name}: {clause}")
            self._check_initialised(value, self._target_model.flattened(attributes))
            return
        old = self._attributes(value)
        for name, field in (self._target_fields or {}).items():
            if name in attributes and name in old:
                self._check_field(value, field, attributes[name], old[name])
        self._check_initialised(value, attributes)

    def _check_initialised(self, value: Any, attributes: Container[str]) -> None:
        for name in self._initialised:
            if name not in attributes and class_attribute(self._target, name) is NO_DEFAULT:
                reason = f"the initialiser of {self.label} sets {name}, which the old objects don't have"
                self._report.add_obstacle(value, self.label, name, reason, f"give {name} a default in the class")

    def _check_field(self, value: Any, field: RecordField, new: Any, old: Any) -> None:
        annotation = resolve(field.annotation, self._namespace, self._target)
        # In a version that becomes current again, imported names still refer to the replaced classes until the commit.
        misfit = find_misfit(new, annotation, self._namespace, self._targets.class_for)
        if misfit is None or (new is None and self._is_none_by_default(field, value)):
            return
        before = self._fields.get(field.name)
        if before is not None and str(before.annotation) == str(field.annotation):
            annotation = resolve(before.annotation, self._old_namespace, self._cls)
            if find_misfit(old, annotation, self._old_namespace) is not None:
                return  # the old value already violated the annotation
        self._misfit(value, field.name, f"{self.label}.{field.name}{misfit.path} {misfit.clause}")

    @staticmethod
    def _is_none_by_default(field: RecordField, value: Any) -> bool:
        """Return whether the field's default is None, so that None fits it whatever its annotation says."""
        try:
            return field.default is not None and field.default(value) is None
        except Exception:
            return False

    def _misfit(self, value: Any, field: str, reason: str) -> None:
        remedy = f"keep the type of {field}"
        self._report.add_obstacle(value, self.label, field, reason, remedy, is_misfit=True)


def _caches_hash(cls: type) -> bool:
    """Return whether `cls` is an attrs class whose objects keep their hash in an attribute."""
    hashes = (namespace_of(base)["__hash__"] for base in mro_of(cls) if "__hash__" in namespace_of(base))
    code = getattr(next(hashes, None), "__code__", None)
    return code is not None and "_attrs_cached_hash" in code.co_names


def _is_compatible(cls: type, base: Base, target: type, target_base: Base) -> bool:
    """Return whether objects of `cls` can become objects of `target`.

    They can if the builtin bases are the same, or if each class has its fields in a tuple or in attributes.
    """
    if base.cls is target_base.cls:
        return True
    both = ((cls, base), (target, target_base))
    return all(one.cls is object or (one.cls is tuple and record_fields(kind) is not None) for kind, one in both)


def _refused(label: str, clause: str | None) -> Shape:
    shape = Shape()
    shape.replaced = True
    shape.label = label
    shape.obstacle = clause
    return shape

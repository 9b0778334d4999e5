"""Models of pydantic 2: their fields, private attributes and extra values, and the validation of a new object.

The new object is filled without `__init__` and `model_post_init`; then its fields are validated strictly. A validator
that would change a value is an error, so that no value is converted silently.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from node_runtime.behaviours.show.fingerprint import have_equal_parts
from node_runtime.code.classes.record_fields import pydantic_fields

_FIELDS_SET: Final = "__pydantic_fields_set__"
_EXTRA: Final = "__pydantic_extra__"
_PRIVATE: Final = "__pydantic_private__"
_SLOTS: Final = (_FIELDS_SET, _EXTRA, _PRIVATE)
_COMPARE_SECONDS: Final = 0.5
_NOT_VALIDATING: Final = ("serialization", "metadata", "cls")
"""The parts of a schema that validation does not use."""
_CONSTANTS: Final = frozenset((type(None), bool, int, float, str, bytes))
"""The classes of values that are equal if `==` says so."""


class PydanticModel:
    """The declarations of one model's class, by which its new objects are filled and validated."""

    def __init__(self, cls: Any) -> None:
        self._cls = cls
        self._fields = pydantic_fields(cls)
        self._private: Mapping[str, Any] = getattr(cls, "__private_attributes__", {})
        self._allows_extra = cls.model_config.get("extra") == "allow"
        self._validator: Any = None

    def flattened(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields, extra values and private attributes of an object by name."""
        found = {name: value for name, value in attributes.items() if name not in _SLOTS}
        return {**found, **(attributes.get(_EXTRA) or {}), **(attributes.get(_PRIVATE) or {})}

    def fields_set(self, value: Any) -> set[str]:
        """Return the names of the fields that were set explicitly."""
        return set(getattr(value, _FIELDS_SET, ()))

    def holds(self, name: str, *, is_private: bool) -> bool:
        """Return whether an object can have the attribute `name`, which is not a field."""
        return name in self._private or (self._allows_extra and not (is_private and name.startswith("_")))

    def fill(self, new: Any, fields: Mapping[str, Any], others: Mapping[str, Any], set_names: Iterable[str]) -> None:
        """Set the fields of an object, and `others`: the attributes for which `holds` has returned True.

        `set_names` are the names of the fields that count as set explicitly.
        """
        private = {name: value for name, value in others.items() if name in self._private}
        for name, declared in self._private.items():
            if name not in private:
                default = declared.get_default()
                if type(default).__name__ != "PydanticUndefinedType":
                    private[name] = default
        extra = {name: value for name, value in others.items() if name not in self._private}
        for name, value in (
            ("__dict__", dict(fields)),
            (_FIELDS_SET, {name for name in set_names if name in self._fields or name in extra}),
            (_EXTRA, extra if self._allows_extra else None),
            (_PRIVATE, private if self._private else None),
        ):
            object.__setattr__(new, name, value)

    def runs_code(self) -> bool:
        """Return whether making and validating an object may run code of the model's author, such as a validator."""
        private = (getattr(declared, "default_factory", None) for declared in self._private.values())
        return any(factory is not None for factory in private) or _calls_functions(self._cls.__pydantic_core_schema__)

    def errors(self, new: Any) -> Iterator[tuple[str, str]]:
        """Yield each field that doesn't validate, with a clause that says why."""
        fields = dict(vars(new))
        core: Any = sys.modules["pydantic_core"]
        if self._validator is None:
            self._validator = _validator(core, _by_name(self._cls.__pydantic_core_schema__, self._cls))
        is_root = "root" in fields and getattr(self._cls, "__pydantic_root_model__", False)
        try:
            validated = self._validator.validate_python(
                fields["root"] if is_root else {**fields, **(getattr(new, _EXTRA) or {})}, strict=True
            )
        except core.ValidationError as error:
            for one in error.errors(include_url=False, include_input=False, include_context=False):
                name, *inner = one["loc"] or ("root" if is_root else "(the whole object)",)
                place = "".join(f"[{step!r}]" for step in inner)
                yield str(name), f"{place} {one['msg']}".strip()
            return
        except Exception as error:
            yield "(the whole object)", f"its validation raised {type(error).__name__}"
            return
        for name, value in fields.items():
            same = vars(validated).get(name)
            if _are_plainly_equal(value, same):
                continue
            if have_equal_parts(value, same, seconds=_COMPARE_SECONDS) is False:
                yield name, "its validation would change the value"


def _are_plainly_equal(one: Any, other: Any) -> bool:
    """Return whether two values are the same object, equal constants, or equal lists of constants: a quick check."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if type(one) is list:
        kinds = list(map(type, one))
        return _CONSTANTS.issuperset(kinds) and kinds == list(map(type, other)) and one == other
    return type(one) in _CONSTANTS and bool(one == other)


def _validator(core: Any, schema: Any) -> Any:
    try:
        return core.SchemaValidator(schema, None, _use_prebuilt=False)
    except TypeError:  # an older pydantic, which has no prebuilt validators; a prebuilt one would use aliases
        return core.SchemaValidator(schema)


def _calls_functions(schema: Any) -> bool:
    """Return whether the validation by a schema calls any function, even a function of pydantic itself."""
    if isinstance(schema, Mapping):
        inner = (part for key, part in schema.items() if key not in _NOT_VALIDATING)
        return "function" in schema or any(map(_calls_functions, inner))
    return isinstance(schema, (list, tuple)) and any(map(_calls_functions, schema))


def _by_name(schema: Any, cls: type) -> Any:
    """Return a model's schema without the hooks that run when an object is made, and without the aliases of fields."""
    if schema["type"] == "definitions":
        parts = [_by_name(one, cls) for one in schema["definitions"]]
        return {**schema, "schema": _by_name(schema["schema"], cls), "definitions": parts}
    if schema["type"] == "model":
        if schema["cls"] is not cls:
            return schema
        kept = {key: value for key, value in schema.items() if key not in ("post_init", "custom_init", "strict")}
        return {**kept, "schema": _fields_by_name(schema["schema"])}
    return {**schema, "schema": _by_name(schema["schema"], cls)} if isinstance(schema.get("schema"), dict) else schema


def _fields_by_name(schema: Any) -> Any:
    if schema["type"] == "model-fields":
        fields = {
            name: {key: value for key, value in field.items() if key != "validation_alias"}
            for name, field in schema["fields"].items()
        }
        return {**schema, "fields": fields}
    inner = schema.get("schema")
    return {**schema, "schema": _fields_by_name(inner)} if isinstance(inner, dict) else schema

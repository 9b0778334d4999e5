"""Finds fields that are secret: those that a class declares with `Annotated[str, Secret]`, and pydantic's SecretStr.

pydantic is not imported for this. Annotations are read and never evaluated. An annotation that is a string, as after
`from __future__ import annotations`, is parsed, and its names are looked up in the module of the class. A name that
can't be resolved marks a secret if its last part is `Secret`.
"""

from __future__ import annotations

import ast
import builtins
import sys
import threading
import types
import typing
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .raw_reads import is_str, module_of, mro_of, name_of, namespace_of, raw_dict


class Secret:
    """The mark of a secret field or parameter: `password: Annotated[str, Secret]`.

    The mark works for fields of dataclasses, attrs, named tuples, TypedDicts, pydantic models, msgspec structs and
    other classes, and for parameters of a server's methods. The value of a marked field is never shown, whatever the
    field's name. OTP has no such mark; there, `format_status` has to hide each secret.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an annotation declares about the secrets in a value.

    `secret` means that the value itself is a secret. `fields` has the declarations of single keys, by key. `items` is
    the declaration of all parts of a container. `keys` is True if all keys of a dict are secrets.
    """

    secret: bool = False
    fields: Mapping[str, Declaration] = field(default_factory=dict)
    items: Declaration | None = None
    keys: bool = False


SECRET: Final = Declaration(secret=True)
SECRET_CLASSES: Final = frozenset({
    ("pydantic", "SecretStr"), ("pydantic", "SecretBytes"), ("pydantic", "Secret"), ("starlette", "Secret"),
})  # fmt: skip
"""The package and the name of each class whose values are secrets; the values of subclasses are secrets, too."""
MAX_ANNOTATION_LENGTH: Final = 1000
MAX_NESTING: Final = 8

_ALIASES: Final = (type(typing.List[int]), type(typing.Optional[int]), types.GenericAlias, types.UnionType)  # noqa: UP006, UP045  # the classes of these forms
_ANNOTATED: Final = type(typing.Annotated[int, 0])
_MAPPINGS: Final = ("dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict")

_known: dict[int, tuple[weakref.ref[type], Mapping[str, Declaration]]] = {}
"""The fields of each class that was read before. The keys are `id`s: hashing a class may run its metaclass's code."""


class _Reading(threading.local):
    """The classes whose fields a thread is reading, with the fields found so far."""

    def __init__(self) -> None:
        self.classes: dict[int, dict[str, Declaration]] = {}


_reading: Final = _Reading()


def is_secret_class(cls: type) -> bool:
    """Return whether the class is one of SECRET_CLASSES, or a subclass of one."""
    return any(((module_of(base) or "").partition(".")[0], name_of(base)) in SECRET_CLASSES for base in mro_of(cls))


def declared_fields(cls: type) -> Mapping[str, Declaration]:
    """Return the fields of a class that, according to their annotations, are secret or contain secrets."""
    known = _known.get(id(cls))
    if known is not None and known[0]() is cls:
        return known[1]
    number = id(cls)
    reading = _reading.classes
    if number in reading:
        return reading[number]  # the class contains itself
    found = reading[number] = {}
    try:
        _read_fields(cls, found)
    finally:
        del reading[number]
    _known[number] = weakref.ref(cls, lambda _: _known.pop(number, None)), found
    return found


def _read_fields(cls: type, found: dict[str, Declaration]) -> None:
    for base in reversed(mro_of(cls)):
        annotations = _annotations(base)
        namespace = _module_namespace(module_of(base)) if annotations else {}
        for name, annotation in annotations.items():
            if is_str(name) and (declaration := declaration_of(annotation, namespace)) is not None:
                found[name] = declaration


def declared_parameters(function: types.FunctionType) -> Mapping[str, Declaration]:
    """Return the parameters of a function that, according to their annotations, are secret or contain secrets."""
    # From Python 3.14 on, reading `__annotations__` evaluates the annotations.
    annotate = getattr(function, "__annotate__", None)
    annotations = function.__annotations__ if annotate is None else _as_texts(annotate)
    found = {name: declaration_of(part, function.__globals__) for name, part in annotations.items()}
    return {str(name): declaration for name, declaration in found.items() if declaration is not None}


def declared_state(cls: type) -> Declaration | None:
    """Return what the `S` in a callback class's base `GenServer[S]` declares about the state."""
    for base in mro_of(cls):
        generics = namespace_of(base).get("__orig_bases__")
        for generic in generics if type(generics) is tuple else ():
            if type(generic) is _ALIASES[0] and (arguments := getattr(generic, "__args__", ())):
                return declaration_of(arguments[0], _module_namespace(module_of(base)))
    return None


def declaration_of(annotation: Any, namespace: Mapping[str, object], nesting: int = 0) -> Declaration | None:
    """Return what an annotation declares; None if it declares no secret.

    `namespace` is the namespace of the module that contains the annotation.
    """
    kind = type(annotation)
    if nesting > MAX_NESTING or kind is type:
        return None
    if kind is str or kind is typing.ForwardRef:
        return _of_text(annotation if kind is str else annotation.__forward_arg__, namespace, nesting)
    if kind is _ANNOTATED:
        is_marked = any(mark is Secret or type(mark) is Secret for mark in annotation.__metadata__)
        return SECRET if is_marked else declaration_of(annotation.__origin__, namespace, nesting + 1)
    if any(kind is alias for alias in _ALIASES) and getattr(annotation, "__origin__", None) is not typing.ClassVar:
        parts = [declaration_of(part, namespace, nesting + 1) for part in annotation.__args__]
        origin = None if kind is types.UnionType else annotation.__origin__
        return _of_parts(parts, "Union" if origin in (None, typing.Union) else _name(origin))
    is_typed_dict = name_of(kind) == "_TypedDictMeta"  # typing and typing_extensions each have one
    return Declaration(fields=declared_fields(annotation)) if is_typed_dict else None


def _of_parts(parts: list[Declaration | None], origin: str) -> Declaration | None:
    """Return the declaration of the generic type `origin`. `parts` are the declarations of its arguments."""
    found = next((part for part in reversed(parts) if part is not None), None)
    if found is None:
        return None
    if origin in ("Union", "Optional", "Required", "NotRequired", "Final", "ReadOnly"):
        return found
    if origin in _MAPPINGS and len(parts) == 2:
        key, value = parts
        return Declaration(items=value, keys=key is not None and key.secret)
    return Declaration(items=found)


def _of_text(text: str, namespace: Mapping[str, object], nesting: int) -> Declaration | None:
    try:
        tree = ast.parse(text[:MAX_ANNOTATION_LENGTH].strip(), mode="eval").body
        return _of_node(tree, namespace, nesting)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return SECRET if "Secret" in text else None


def _of_node(node: ast.expr, namespace: Mapping[str, object], nesting: int) -> Declaration | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _of_text(node.value, namespace, nesting + 1)
    if isinstance(node, ast.BinOp):
        return _of_node(node.left, namespace, nesting) or _of_node(node.right, namespace, nesting)
    if isinstance(node, ast.Subscript):
        return _of_subscript(node, namespace, nesting)
    found = _resolved(node, namespace)
    return None if found is None or type(found) is str else declaration_of(found, namespace, nesting + 1)


def _of_subscript(node: ast.Subscript, namespace: Mapping[str, object], nesting: int) -> Declaration | None:
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    origin = _last_name(node.value)
    if origin == "ClassVar":
        return None
    if origin == "Annotated" or _resolved(node.value, namespace) is typing.Annotated:
        is_marked = any(_is_mark(mark, namespace) for mark in arguments[1:])
        return SECRET if is_marked else _of_node(arguments[0], namespace, nesting)
    return _of_parts([_of_node(argument, namespace, nesting) for argument in arguments], origin)


def _is_mark(node: ast.expr, namespace: Mapping[str, object]) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    return _last_name(node) == "Secret" or _resolved(node, namespace) is Secret


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _resolved(node: ast.expr, namespace: Mapping[str, object]) -> object:
    """Return the object to which a dotted name refers; None if there is none, or if the node is not a dotted name."""
    if isinstance(node, ast.Name):
        return namespace.get(node.id, vars(builtins).get(node.id))
    if isinstance(node, ast.Attribute):
        return raw_dict(_resolved(node.value, namespace)).get(node.attr)
    return None


def _annotations(cls: type) -> Mapping[object, object]:
    """Return the annotations of a class, without evaluating any."""
    namespace = namespace_of(cls)
    found = namespace.get("__annotations__", namespace.get("__annotations_cache__"))
    if found is None and type(annotate := namespace.get("__annotate_func__")) is types.FunctionType:
        return _as_texts(annotate)
    return found if type(found) is dict else {}


def _as_texts(annotate: types.FunctionType) -> Mapping[object, object]:
    """Return annotations of Python 3.14 as strings, so that the names in them are not looked up."""
    import annotationlib  # type: ignore[import-not-found,unused-ignore]  # since Python 3.14

    try:
        texts: Mapping[object, object] = annotationlib.call_annotate_function(annotate, annotationlib.Format.STRING)
    except Exception:
        return {}
    return texts


def _module_namespace(module: str | None) -> Mapping[str, object]:
    return {} if module is None else raw_dict(sys.modules.get(module))


def _name(origin: object) -> str:
    return name_of(origin) if isinstance(origin, type) else str(getattr(origin, "_name", ""))

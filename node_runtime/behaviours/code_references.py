"""References to code: strings "module:function". They are resolved at each use, so they name the current version."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from sys import modules
from types import SimpleNamespace
from typing import Any, Final

_MISSING: Final = object()


class ParsedReference:
    """A reference "module:name" that is parsed only once, for code that resolves it often. `str()` returns its text.

    Raises LookupError for a malformed reference.
    """

    __slots__ = ("_module", "_name", "_plain", "_reference")

    def __init__(self, reference: str) -> None:
        self._module, colon, self._name = reference.partition(":")
        if not colon or not self._name:
            raise LookupError(f'{reference!r} is not a reference to code; write "module:function"')
        self._reference = reference
        self._plain = "." not in self._name

    def resolve(self) -> Any:
        """Return the object that the reference names in the current version. Raises LookupError or ImportError."""
        module = modules.get(self._module) or importlib.import_module(self._module)
        if self._plain and (found := getattr(module, self._name, _MISSING)) is not _MISSING:
            return found
        return resolve_attribute(self._module, module, self._name)

    def __str__(self) -> str:
        return self._reference


def resolve_reference(reference: str) -> Any:
    """Return the object that "module:name" names in the current version. Raises LookupError or ImportError."""
    return ParsedReference(reference).resolve()


def resolve_in_versions(reference: str, namespaces: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the object that "module:name" names in the namespace that `namespaces` has for the module.

    A module without an entry in `namespaces` is looked up in its current version. During an upgrade, `namespaces` has
    the previous namespace of each module whose new version the script has not loaded yet. Raises LookupError.
    """
    module, _, name = reference.partition(":")
    if module in namespaces:
        return resolve_attribute(module, SimpleNamespace(**namespaces[module]), name)
    return resolve_reference(reference)


def resolve_attribute(module: str, version: object, name: str) -> Any:
    """Return the object with a name, dotted or not, in a version of a module. Raises LookupError."""
    found: Any = version
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise LookupError(f"module {module} has no {name}") from None
    return found

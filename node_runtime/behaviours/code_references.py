"""References to code: strings "module:function", resolved at each use, so that they name the current version."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from sys import modules
from types import SimpleNamespace
from typing import Any


class ResolvedReference:
    """A reference "module:name" that is resolved often. Its text is the reference itself.

    Raises LookupError for a malformed reference.
    """

    __slots__ = ("_name", "_plain", "module", "reference")

    def __init__(self, reference: str) -> None:
        self.module, colon, self._name = reference.partition(":")
        if not colon or not self._name:
            raise LookupError(f'{reference!r} is not a reference to code; write "module:function"')
        self.reference = reference
        self._plain = "." not in self._name

    def resolve(self) -> Any:
        """Return the object that the reference names in the current version. Raises LookupError or ImportError."""
        module = modules.get(self.module)
        if module is None:
            module = importlib.import_module(self.module)
        if self._plain:
            try:
                return getattr(module, self._name)
            except AttributeError:
                raise LookupError(f"module {self.module} has no {self._name}") from None
        return resolve_attribute(self.module, module, self._name)

    def __str__(self) -> str:
        return self.reference


def resolve_reference(reference: str) -> Any:
    """Return the object that "module:name" names in the current version of the module. Raises LookupError."""
    module, colon, name = reference.partition(":")
    if not colon or not name:
        raise LookupError(f'{reference!r} is not a reference to code; write "module:function"')
    found = modules[module] if module in modules else importlib.import_module(module)
    return resolve_attribute(module, found, name)


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

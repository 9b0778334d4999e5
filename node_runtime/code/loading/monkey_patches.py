"""Finds names of a module that other code has replaced or added (monkey patches)."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from node_runtime.code.classes.definitions import names_mentioned, read_definitions
from node_runtime.code.imports import inner_code

if TYPE_CHECKING:
    from node_runtime.code.version import Version


def replaced_names(version: Version) -> set[str]:
    """Return the names whose value is not the function of their only `def`. Functions with decorators don't count."""
    namespace = version.namespace
    made = {code.co_name: code for code in inner_code(version.unit.code) if code.co_flags & inspect.CO_OPTIMIZED}
    suspects = {
        name
        for name, code in made.items()
        if name in namespace and getattr(namespace[name], "__code__", None) is not code
    }
    if not suspects:
        return suspects
    definitions = read_definitions(version.unit.code)
    return {
        name
        for name in suspects & definitions.functions.keys()
        if definitions.bound[name] == 1
        and getattr(namespace[name], "__code__", None) is not definitions.functions[name]
    }


def added_names(version: Version) -> set[str]:
    """Return the names in the namespace that the module's code doesn't mention.

    The result is empty for a module with star imports, because the code doesn't mention the names
    that a star import copies.
    """
    if any(entry.name == "*" for entry in version.imports.entries):
        return set()
    module = version.unit.source.module
    unknown = version.namespace.keys() - names_mentioned(version.unit.code)
    # pydantic adds a parametrised model under a name such as "Box[int]"
    own = {name for name in unknown if name.isidentifier() and not name.startswith("__")}
    return {name for name in own if f"{module}.{name}" not in sys.modules}

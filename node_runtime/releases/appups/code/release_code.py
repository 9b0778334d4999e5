"""`ReleaseCode`: all modules of a release, and what the names in them refer to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from .module_code import ModuleCode, dotted_text, walk_without_type_checking

RUNTIME = "node_runtime"
MAX_REEXPORTS = 20
"""A name is followed through at most this many modules that only import it."""
_REFERENCE = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*")
_DATA_CALLS = frozenset({"ChildSpec", "Route", "WebSocketRoute"})
"""References inside of these calls don't count as references of the module: a script decides when they are used."""


class CodeReference(msgspec.Struct, frozen=True):
    """A place in a module that uses another module of the release: an import, or a "module:function"."""

    module: str
    user: str
    path: str
    line: int
    is_import: bool


class Definition(msgspec.Struct, frozen=True):
    """What a dotted name means: the module of the release that defines it, and the rest of the name."""

    module: ModuleCode
    rest: str

    @property
    def statement(self) -> ast.stmt | None:
        """The statement at the top level of the module that binds the name."""
        return self.module.definitions.get(self.rest.partition(".")[0])


@dataclass(frozen=True)
class ReleaseCode:
    """The modules of release `vsn` by name. `known` are the names of the modules of both compared releases."""

    vsn: str
    modules: Mapping[str, ModuleCode]
    known: frozenset[str]

    def resolve(self, module: ModuleCode, name: str) -> str:
        """Return the absolute form of a dotted name in a module: "node_runtime.web.set_routes", "shop.till.Till"."""
        first, _, rest = name.partition(".")
        if first in module.definitions and first not in module.bindings:
            absolute = f"{module.name}.{name}"
        elif first in module.bindings:
            absolute = f"{module.bindings[first]}.{rest}" if rest else module.bindings[first]
        else:
            return name
        return self._followed(absolute)

    def resolve_node(self, module: ModuleCode, node: ast.expr) -> str:
        """Return the absolute form of an expression such as `web.set_routes`; "" if it is no dotted name."""
        text = dotted_text(node)
        return self.resolve(module, text) if text else ""

    def definition(self, absolute: str) -> Definition | None:
        """Return the module that defines an absolute name, and the rest of the name; None if no module has it."""
        parts = absolute.split(".")
        for length in range(len(parts) - 1, 0, -1):
            if (module := self.modules.get(".".join(parts[:length]))) is not None:
                return Definition(module, ".".join(parts[length:]))
        return None

    def _followed(self, absolute: str) -> str:
        """Return the absolute name in the defining module: "shop.till.Till" for "shop.Till", if `shop` imports it."""
        for _ in range(MAX_REEXPORTS):
            found = None if absolute in self.modules else self.definition(absolute)
            first, _, rest = found.rest.partition(".") if found else ("", "", "")
            if found is None or first not in found.module.bindings:
                return absolute
            absolute = f"{found.module.bindings[first]}.{rest}" if rest else found.module.bindings[first]
        return absolute

    def is_runtime(self, absolute: str, *names: str) -> bool:
        """Return whether `absolute` is a name in node_runtime that ends with one of `names`.

        For example, node_runtime.web.set_routes ends with set_routes.
        """
        return absolute.partition(".")[0] == RUNTIME and any(
            absolute == f"{RUNTIME}.{name}" or absolute.endswith(f".{name}") for name in names
        )

    @cached_property
    def references(self) -> dict[str, tuple[CodeReference, ...]]:
        """The references that each module makes to other modules of the two releases."""
        return {name: tuple(self._references(module)) for name, module in self.modules.items()}

    def _references(self, module: ModuleCode) -> Iterator[CodeReference]:
        for each in module.imports:
            for used in dict.fromkeys(self._imported(each.module, each.dotted)):
                if used != module.name:
                    yield CodeReference(used, module.name, module.path, each.line, True)
        skipped: set[int] = set()
        for node in walk_without_type_checking(module.tree):
            if isinstance(node, ast.Call) and dotted_text(node.func).rpartition(".")[2] in _DATA_CALLS:
                skipped.update(id(part) for part in ast.walk(node))
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in skipped:
                continue
            match = _REFERENCE.fullmatch(node.value)
            if match and match[1] in self.known and match[1] != module.name:
                yield CodeReference(match[1], module.name, module.path, node.lineno, False)

    def _imported(self, module: str, dotted: str) -> Iterator[str]:
        """Yield the modules of the two releases that an import names."""
        if dotted in self.known:
            yield dotted
        elif module in self.known:
            yield module

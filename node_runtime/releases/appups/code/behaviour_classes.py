"""The callback classes of a release: servers, state machines, supervisors and applications."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from .module_code import ModuleCode, top_level
from .release_code import ReleaseCode

CallbackKind: TypeAlias = Literal["gen_server", "gen_statem", "supervisor", "application"]
_BASES: Final[dict[str, CallbackKind]] = {
    "GenServer": "gen_server",
    "WebSocketHandler": "gen_server",
    "GenStatem": "gen_statem",
    "Supervisor": "supervisor",
    "Application": "application",
}
_MAX_BASES: Final = 20


class CallbackCode(msgspec.Struct, frozen=True):
    """A callback class at the top level of a module. `lineage` are the class and its base classes in the release."""

    kind: CallbackKind
    module: ModuleCode
    node: ast.ClassDef
    lineage: tuple[tuple[ModuleCode, ast.ClassDef], ...]

    @property
    def name(self) -> str:
        """The class's absolute name, such as "shop.till.Till"."""
        return f"{self.module.name}.{self.node.name}"

    def method(self, name: str) -> tuple[ModuleCode, ast.ClassDef, ast.FunctionDef | ast.AsyncFunctionDef] | None:
        """Return a method and the class of the lineage that defines it; None if the release defines no such method."""
        for module, node in self.lineage:
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
                    return module, node, statement
        return None


def callback_classes(release: ReleaseCode) -> dict[str, CallbackCode]:
    """Return the callback classes of a release by their absolute names."""
    found = {}
    for module in release.modules.values():
        for node in top_level(module.tree.body):
            if isinstance(node, ast.ClassDef) and (lineage := list(_lineage(release, module, node))):
                kind = _kind(release, lineage)
                if kind is not None:
                    found[f"{module.name}.{node.name}"] = CallbackCode(kind, module, node, tuple(lineage))
    return found


def _lineage(release: ReleaseCode, module: ModuleCode, node: ast.ClassDef) -> Iterator[tuple[ModuleCode, ast.ClassDef]]:
    pending = [(module, node)]
    for _ in range(_MAX_BASES):
        if not pending:
            return
        module, node = pending.pop(0)
        yield module, node
        for base in node.bases:
            absolute = release.resolve_node(module, _without_parameters(base))
            found = release.definition(absolute)
            statement = found.statement if found else None
            if found and isinstance(statement, ast.ClassDef) and statement is not node:
                pending.append((found.module, statement))


def _kind(release: ReleaseCode, lineage: list[tuple[ModuleCode, ast.ClassDef]]) -> CallbackKind | None:
    for module, node in lineage:
        for base in node.bases:
            absolute = release.resolve_node(module, _without_parameters(base))
            for name, kind in _BASES.items():
                if release.is_runtime(absolute, name):
                    return kind
    return None


def _without_parameters(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base

"""`ModuleCode`: the syntax tree of one module, with its imports and the definitions at its top level."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

TYPE_CHECKING_TEST = "TYPE_CHECKING"


class ImportBinding(msgspec.Struct, frozen=True):
    """A name that an import binds. `dotted` is the full name of the imported module or attribute."""

    name: str
    module: str
    dotted: str
    line: int


@dataclass(frozen=True)
class ModuleCode:
    """The source of a module of a release, which is never executed. `path` is the path that messages show."""

    name: str
    path: str
    is_package: bool
    tree: ast.Module

    @cached_property
    def imports(self) -> tuple[ImportBinding, ...]:
        """The imports anywhere in the module, except those that only a type checker sees."""
        return tuple(self._imports())

    @cached_property
    def bindings(self) -> dict[str, str]:
        """For each name that an import binds, the full dotted name of the imported module or attribute."""
        return {each.name: each.dotted for each in self.imports if each.name != "*"}

    @cached_property
    def definitions(self) -> dict[str, ast.stmt]:
        """For each name at the top level of the module, the last statement that binds the name."""
        found: dict[str, ast.stmt] = {}
        for statement in top_level(self.tree.body):
            for name in bound_names(statement):
                found[name] = statement
        return found

    @cached_property
    def defines_everything(self) -> bool:
        """Whether the module may define names that its source doesn't show, by a star import or by `__getattr__`."""
        return "__getattr__" in self.definitions or any(each.name == "*" for each in self.imports)

    def _imports(self) -> Iterator[ImportBinding]:
        for node in walk_without_type_checking(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    dotted = alias.name if alias.asname else bound
                    yield ImportBinding(bound, alias.name, dotted, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    yield ImportBinding(alias.asname or alias.name, base, f"{base}.{alias.name}", node.lineno)

    def _base(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module from which `node` imports."""
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        parts = package[: len(package) - node.level + 1] + ([node.module] if node.module else [])
        return ".".join(parts)


def parse_module(name: str, path: str, source: bytes, is_package: bool) -> ModuleCode:
    """Parse a module, whose syntax must be correct, and return its code."""
    with warnings.catch_warnings(action="ignore"):  # a warning quotes the source
        return ModuleCode(name, path, is_package, ast.parse(source))


def walk_without_type_checking(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes in the order of the source, except the bodies of `if TYPE_CHECKING:`."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == TYPE_CHECKING_TEST:
            children = list(node.orelse)
        pending.extend(reversed(children))


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module's body, also those inside of `if`, `try` and `with`."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try | ast.With):
                yield from top_level(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from top_level(handler.body)


def bound_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds in the module."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Assign():
            for target in statement.targets:
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
        case ast.AnnAssign() | ast.AugAssign():
            if isinstance(statement.target, ast.Name) and getattr(statement, "value", None) is not None:
                yield statement.target.id
        case ast.Import() | ast.ImportFrom():
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        case _ if statement.__class__.__name__ == "TypeAlias":  # new in Python 3.12
            yield statement.name.id  # type: ignore[attr-defined]
        case ast.For():
            yield from (node.id for node in ast.walk(statement.target) if isinstance(node, ast.Name))
        case _:
            pass


def dotted_text(node: ast.expr) -> str:
    """Return the text of a dotted name such as `web.set_routes`; "" for another expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""

"""Evaluates the literals of a release's source, such as routes and child specifications, without executing code.

A name has the value of the literal that a module of the release binds to it. A value that depends on anything else is
`UNKNOWN`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .module_code import ModuleCode, dotted_text
from .release_code import ReleaseCode

MAX_DEPTH: Final = 60
"""An expression is `UNKNOWN` if it is nested more deeply than this, or if more names have to be followed."""
MAX_ITEMS: Final = 10_000
"""A `range` is cut after this many items."""
RECORDS: Final = ("ChildSpec", "WebSocketRoute", "Route", "asgi_child")


class UnknownValue:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = UnknownValue()
"""A value that can't be read from the source."""


@dataclass(frozen=True)
class RecordCall:
    """A call of node_runtime that only creates data, such as `ChildSpec(...)`, with its evaluated arguments."""

    kind: str
    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    path: str
    line: int

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return the argument at `position` or with the keyword `name`; `default` if the call has neither."""
        return self.args[position] if position < len(self.args) else self.keywords.get(name, default)


@dataclass(frozen=True)
class ConstantScope:
    """Evaluates the expressions at one place in the source of a release, such as a method.

    `module` is the module of the place, `names` has the values of the local names at this place, and `cls` is the class
    of `self`.
    """

    release: ReleaseCode
    module: ModuleCode
    names: dict[str, Any] = field(default_factory=dict)
    cls: ast.ClassDef | None = None
    depth: int = 0

    def at(self, module: ModuleCode) -> ConstantScope:
        """Return the scope of the top level of a module."""
        return ConstantScope(self.release, module, depth=self.depth + 1)

    def value(self, node: ast.expr | None) -> Any:
        """Return the value of an expression, or `UNKNOWN`."""
        if node is None or self.depth > MAX_DEPTH:
            return UNKNOWN
        deeper = ConstantScope(self.release, self.module, self.names, self.cls, self.depth + 1)
        try:
            return deeper._value(node)
        except (TypeError, ValueError, KeyError, IndexError, OverflowError, MemoryError, RecursionError):
            return UNKNOWN

    def _value(self, node: ast.expr) -> Any:
        read: Any = {
            ast.Constant: lambda constant: constant.value,
            ast.Tuple: self._sequence,
            ast.List: self._sequence,
            ast.Set: self._sequence,
            ast.Dict: self._dict,
            ast.Name: self._named,
            ast.Attribute: self._named,
            ast.JoinedStr: self._joined,
            ast.BinOp: self._sum,
            ast.Compare: self._comparison,
            ast.ListComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.Subscript: self._item,
            ast.Call: self._call,
        }.get(type(node))
        return UNKNOWN if read is None else read(node)

    def _sum(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        is_known = isinstance(node.op, ast.Add) and left is not UNKNOWN and right is not UNKNOWN
        return left + right if is_known else UNKNOWN

    def _comparison(self, node: ast.Compare) -> Any:
        left, right = self.value(node.left), self.value(node.comparators[0])
        if len(node.ops) > 1 or left is UNKNOWN or right is UNKNOWN or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            return UNKNOWN
        return (left == right) is isinstance(node.ops[0], ast.Eq)

    def _item(self, node: ast.Subscript) -> Any:
        value, index = self.value(node.value), self.value(node.slice)
        return UNKNOWN if value is UNKNOWN or index is UNKNOWN else value[index]

    def _sequence(self, node: ast.Tuple | ast.List | ast.Set) -> Any:
        items: list[Any] = []
        for part in node.elts:
            if isinstance(part, ast.Starred):
                more = self.value(part.value)
                if not isinstance(more, tuple | list):
                    return UNKNOWN
                items.extend(more)
            else:
                items.append(self.value(part))
        return tuple(items) if isinstance(node, ast.Tuple) else items

    def _dict(self, node: ast.Dict) -> Any:
        if any(key is None for key in node.keys):
            return UNKNOWN
        keys = [self.value(key) for key in node.keys]
        return UNKNOWN if UNKNOWN in keys else dict(zip(keys, map(self.value, node.values), strict=True))

    def _named(self, node: ast.expr) -> Any:
        text = dotted_text(node)
        first, _, rest = text.partition(".")
        if first in self.names:
            return UNKNOWN if rest else self.names[first]
        if first in ("self", "cls") and self.cls is not None:
            values = (bound_value(statement, rest) for statement in self.cls.body)
            return self.value(next((value for value in values if value is not None), None))
        absolute = f"{self.module.name}.__name__" if text == "__name__" else self.release.resolve(self.module, text)
        module = absolute.removesuffix(".__name__")
        return module if module in self.release.modules and module != absolute else self._global(absolute)

    def _global(self, absolute: str) -> Any:
        """Return the value that a module of the release binds to a name at its top level."""
        found = self.release.definition(absolute)
        if found is None or "." in found.rest or found.statement is None:
            return UNKNOWN
        return self.at(found.module).value(bound_value(found.statement, found.rest))

    def _joined(self, node: ast.JoinedStr) -> Any:
        parts: list[str] = []
        for part in node.values:
            value = self.value(part.value if isinstance(part, ast.FormattedValue) else part)
            plain = not isinstance(part, ast.FormattedValue) or (part.conversion == -1 and part.format_spec is None)
            if not plain or not isinstance(value, str | int):
                return UNKNOWN
            parts.append(str(value))
        return "".join(parts)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Any:
        if len(node.generators) != 1 or node.generators[0].ifs or node.generators[0].is_async:
            return UNKNOWN
        items = self.value(node.generators[0].iter)
        if not isinstance(items, tuple | list):
            return UNKNOWN
        return [self.with_names(names).value(node.elt) for names in bound_items(node.generators[0].target, items)]

    def with_names(self, names: Mapping[str, Any]) -> ConstantScope:
        """Return a copy of this scope with `names` as further local names."""
        return ConstantScope(self.release, self.module, {**self.names, **names}, self.cls, self.depth)

    def _call(self, node: ast.Call) -> Any:
        text = dotted_text(node.func)
        if text in ("tuple", "list", "sorted", "range") and not node.keywords:
            args = [self.value(arg) for arg in node.args]
            if text == "range":
                return list(range(*args))[:MAX_ITEMS]
            items = args[0] if args else []
            if not isinstance(items, tuple | list):
                return UNKNOWN
            return sorted(items) if text == "sorted" else tuple(items) if text == "tuple" else list(items)
        absolute = self.release.resolve(self.module, text) if text else ""
        kind = next((name for name in RECORDS if self.release.is_runtime(absolute, name)), None)
        if kind is None or any(isinstance(arg, ast.Starred) for arg in node.args):
            return UNKNOWN
        keywords = {word.arg: self.value(word.value) for word in node.keywords if word.arg is not None}
        return RecordCall(kind, tuple(map(self.value, node.args)), keywords, self.module.path, node.lineno)


def bound_value(statement: ast.stmt, name: str) -> ast.expr | None:
    """Return the expression that a statement binds to `name`; None if it binds no expression to this name."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.target.id == name:
        return statement.value
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name) and target.id == name:
                return statement.value
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                for part, value in zip(target.elts, statement.value.elts, strict=False):
                    if isinstance(part, ast.Name) and part.id == name:
                        return value
    return None


def bound_items(target: ast.expr, items: tuple[Any, ...] | list[Any]) -> Iterator[dict[str, Any]]:
    """Yield, for each item of a loop, the values of the names in the loop's target.

    The target `a, b` and the item (1, 2), for example, give {"a": 1, "b": 2}. Raises ValueError if a value is unknown.
    """
    for item in items:
        if isinstance(target, ast.Name):
            yield {target.id: item}
        elif isinstance(target, ast.Tuple) and isinstance(item, tuple | list) and len(item) == len(target.elts):
            yield {part.id: value for part, value in zip(target.elts, item, strict=True) if isinstance(part, ast.Name)}
        else:
            raise ValueError

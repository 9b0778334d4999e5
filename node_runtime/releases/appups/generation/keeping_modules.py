"""Finds the unchanged modules whose bodies keep code or values of the modules that a script loads.

`CHECKS = {"plain": policy.allow}`, `MAX = limits.LOW * 2` and `def check(number=LOW)` run once, when the body of a
module is executed. A load of `policy` or `limits` rebinds imported names, but it does not repeat the body. So the
module goes on with the old code and the old values until it is loaded, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

import msgspec

from node_runtime.releases.appups.code.constants import ConstantScope, bound_value
from node_runtime.releases.appups.code.module_code import ModuleCode, bound_names, dotted_text, top_level
from node_runtime.releases.appups.code.release_code import Definition
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.code.state_classes import class_text

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_CHANGING_METHODS: Final = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "put",
    "put_nowait", "register", "remove", "setdefault", "update",
})  # fmt: skip
"""Methods that change the object to which they belong."""


class Keeper(msgspec.Struct, frozen=True):
    """An unchanged module that keeps code or values of `origin`.

    `data` are global names of the module. Functions of the module change the objects with these names, and a load
    creates these objects again.
    """

    module: str
    origin: str
    data: tuple[str, ...]


def modules_that_keep(left: ReleaseFacts, target: ReleaseFacts, loaded: set[str], modules: set[str]) -> list[Keeper]:
    """Return those of `modules` that are unchanged, but keep functions, classes or values of `loaded` modules.

    The search doesn't go on from a module that has data of its own, because no script loads such a module.
    """
    found: dict[str, Keeper] = {}
    replaced = set(loaded)
    while True:
        more = {}
        for name in sorted(modules - replaced - found.keys()):
            if name in left.code.modules and name in target.code.modules:
                module = target.code.modules[name]
                origin = next(_Body(left, target, replaced, module).origins(), None)
                if origin is not None:
                    more[name] = Keeper(name, origin, tuple(sorted(_changed_data(target, module))))
        if not more:
            return list(found.values())
        found |= more
        replaced |= {name for name, keeper in more.items() if not keeper.data}


class _Body:
    """The statements that run when `module` is imported. `replaced` are the modules that a script loads."""

    def __init__(self, left: ReleaseFacts, target: ReleaseFacts, replaced: set[str], module: ModuleCode) -> None:
        self._left, self._target, self._replaced, self._module = left, target, replaced, module

    def origins(self) -> Iterator[str]:
        """Yield those of the replaced modules from which the body keeps something."""
        for statement in top_level(self._module.tree.body):
            yield from self._kept_by(statement, in_class=False)

    def _kept_by(self, statement: ast.stmt, *, in_class: bool) -> Iterator[str]:
        match statement:
            case ast.ClassDef():
                for part in statement.body:
                    yield from self._kept_by(part, in_class=True)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for decorator in statement.decorator_list:
                    yield from self._kept_in(decorator, is_adopted=False, keeps_results=True)
                for default in filter(None, (*statement.args.defaults, *statement.args.kw_defaults)):
                    yield from self._kept_in(default, is_adopted=False)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() if statement.value is not None:
                yield from self._kept_in(statement.value, is_adopted=not in_class)
            case ast.If(test=read) | ast.For(iter=read):
                yield from self._kept_in(read, is_adopted=True)

    def _kept_in(self, node: ast.AST, *, is_adopted: bool, keeps_results: bool = False) -> Iterator[str]:
        """Yield those of the replaced modules from which the value of an expression keeps something.

        With `is_adopted`, the instances in the value get the new class. With `keeps_results`, the value keeps what
        calls return.
        """
        if isinstance(node, ast.Lambda):  # the names in its body are looked up when it is called
            for default in filter(None, (*node.args.defaults, *node.args.kw_defaults)):
                yield from self._kept_in(default, is_adopted=False)
            return
        if isinstance(node, ast.Call):
            called = self._replaced_definition(node.func)
            if called is not None and self._result_keeps(called, is_adopted, keeps_results):
                yield called.module.name
            if not dotted_text(node.func):
                yield from self._kept_in(node.func, is_adopted=is_adopted)
            for part in (*node.args, *node.keywords):
                yield from self._kept_in(part, is_adopted=is_adopted)
            return
        if isinstance(node, ast.Name | ast.Attribute) and dotted_text(node):
            found = self._replaced_definition(node)
            if found is not None and self._differs(found):
                yield found.module.name
            return
        for part in ast.iter_child_nodes(node):
            yield from self._kept_in(part, is_adopted=is_adopted)

    def _replaced_definition(self, node: ast.expr) -> Definition | None:
        absolute = self._target.code.resolve_node(self._module, node)
        found = self._target.code.definition(absolute) if absolute else None
        is_replaced = found is not None and found.rest != "" and found.module.name in self._replaced
        return found if is_replaced else None

    def _result_keeps(self, called: Definition, is_adopted: bool, keeps_results: bool) -> bool:
        """Return whether the result of a call of `called` belongs to the old version."""
        statement = called.statement
        if isinstance(statement, _FUNCTIONS):
            makes_functions = any(
                isinstance(part, (*_FUNCTIONS, ast.Lambda)) for part in ast.walk(statement) if part is not statement
            )
            return keeps_results or makes_functions or self._text_differs(called)
        return not is_adopted and self._differs(called)

    def _differs(self, found: Definition) -> bool:
        """Return whether the name means different objects in the old and in the new version."""
        statement = found.statement
        if isinstance(statement, _FUNCTIONS):
            return True  # even if it has not changed: it reads the globals of its own version
        if isinstance(statement, ast.ClassDef):
            return self._text_differs(found)  # if the text is equal, the new version reuses the class
        name = found.rest.partition(".")[0]
        value = bound_value(statement, name) if statement is not None else None
        if isinstance(value, ast.Lambda) or (isinstance(value, ast.Call) and dotted_text(value.func) == "object"):
            return True
        if self._text_differs(found):
            return True
        is_unchanged = ast.dump(found.module.tree) == ast.dump(self._left.code.modules[found.module.name].tree)
        return is_unchanged and value is not None and next(self._values_of(found, value), None) is not None

    def _values_of(self, found: Definition, value: ast.expr) -> Iterator[str]:
        """Yield those of the replaced modules from which a value in an unchanged module keeps something."""
        others = self._replaced - {found.module.name}
        yield from _Body(self._left, self._target, others, found.module)._kept_in(value, is_adopted=True)

    def _text_differs(self, new: Definition) -> bool:
        old = self._left.code.definition(f"{new.module.name}.{new.rest}")
        return old is None or class_text(self._left.code, old) != class_text(self._target.code, new)


def _changed_data(release: ReleaseFacts, module: ModuleCode) -> Iterator[str]:
    """Yield each global name of a module if one of its functions changes the object, except names in `__carry__`."""
    carried = ConstantScope(release.code, module).value(_bound_in(module, "__carry__"))
    kept = set(carried) if isinstance(carried, list | tuple) else set()
    own = {
        name
        for statement in top_level(module.tree.body)
        if not isinstance(statement, ast.Import | ast.ImportFrom)
        for name in bound_names(statement)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, _FUNCTIONS):
            names = {name for part in ast.walk(node) for name in _changed_names(part)}
            yield from (names & own) - kept


def _bound_in(module: ModuleCode, name: str) -> ast.expr | None:
    """Return the expression that the top level of a module binds to `name`."""
    statement = module.definitions.get(name)
    return None if statement is None else bound_value(statement, name)


def _changed_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node in a function rebinds in the module, or whose objects it changes."""
    match node:
        case ast.Global():
            yield from node.names
        case ast.Call(func=ast.Attribute(value=changed, attr=method)) if method in _CHANGING_METHODS:
            yield from _first_name(changed)
        case ast.Subscript(value=changed, ctx=ast.Store() | ast.Del()):
            yield from _first_name(changed)
        case ast.Attribute(value=changed, ctx=ast.Store() | ast.Del()):
            yield from _first_name(changed)


def _first_name(node: ast.expr) -> Iterator[str]:
    """Yield the name with which an expression such as `BOARD.notes[3]` begins."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id

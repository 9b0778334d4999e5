"""Finds the modules that assemble a web application from the functions of other modules.

`app.include_router(items.router)` and `@app.get("/")` run once, when the body of a module is executed. The application
then keeps the functions, routers and models that it was given. So if one of these functions changes, the module that
assembles the application has to be loaded, too, even if this module has not changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from node_runtime.releases.appups.code.constants import ConstantScope
from node_runtime.releases.appups.code.effects import LISTENER_STARTS, call_argument
from node_runtime.releases.appups.code.module_code import ModuleCode, dotted_text, top_level
from node_runtime.releases.appups.code.release_facts import ReleaseFacts

_ASSIGNMENTS: Final = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules_that_assemble(left: ReleaseFacts, target: ReleaseFacts, loaded: set[str], modules: set[str]) -> list[str]:
    """Return those of `modules` that assemble a listener's web application from `loaded` modules, but are unchanged."""
    served = _served_modules(target)
    candidates = (served | target.reachable(frozenset(served), frozenset())) & modules & left.code.modules.keys()
    found: list[str] = []
    while True:
        changed = {*loaded, *found}
        more = [
            name
            for name in sorted(candidates - changed)
            if name in target.code.modules and _modules_given(target, target.code.modules[name]) & changed
        ]
        if not more:
            return found
        found += more


def _served_modules(release: ReleaseFacts) -> set[str]:
    """Return the modules of the web applications that the release gives to listeners by a literal or a constant."""
    found: set[str] = set()
    for module in release.code.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and dotted_text(node.func).rpartition(".")[2] in LISTENER_STARTS:
                texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                texts.append(ConstantScope(release.code, module).value(call_argument(node, 1, "application")))
                names = (text.partition(":")[0] for text in texts if isinstance(text, str) and ":" in text)
                found.update(name for name in names if name in release.code.modules)
    return found


def _modules_given(release: ReleaseFacts, module: ModuleCode) -> set[str]:
    """Return the modules whose objects the body of a module passes to calls and decorators."""
    found: set[str] = set()
    for part in _given(module):
        for node in ast.walk(part):
            if isinstance(node, ast.Name | ast.Attribute):
                absolute = release.code.resolve_node(module, node)
                definition = release.code.definition(absolute) if absolute else None
                if absolute in release.code.modules:
                    found.add(absolute)
                elif definition is not None:
                    found.add(definition.module.name)
    return found - {module.name}


def _given(module: ModuleCode) -> Iterator[ast.expr]:
    """Yield the expressions that the body of a module passes to calls and decorators."""
    for statement in top_level(module.tree.body):
        if isinstance(statement, _ASSIGNMENTS) and statement.value is not None:
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Call):
                    yield from node.args
                    yield from (keyword.value for keyword in node.keywords)
        elif isinstance(statement, _FUNCTIONS) and statement.decorator_list:
            yield from statement.decorator_list
            given = statement.args
            arguments = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
            yield from (each.annotation for each in arguments if each is not None and each.annotation is not None)
            yield from (default for default in (*given.defaults, *given.kw_defaults) if default is not None)
            if statement.returns is not None:
                yield statement.returns

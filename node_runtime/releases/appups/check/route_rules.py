"""Checks that each route leads to a loaded handler whose server runs, and that a script sets the target's routes."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.releases.appups.code.effects import RouteEffect
from node_runtime.releases.appups.code.module_code import ModuleCode

from .mistakes import Mistake
from .running_node import RunningNode
from .script_steps import CheckedScript, CheckedStep


def routes_that_come_too_early(node: RunningNode, step: CheckedStep, effect: RouteEffect) -> Iterator[Mistake]:
    """Yield a mistake for each new route whose handler is not loaded yet, or calls a child that is not started yet."""
    before = (node.routes.get(effect.of) or ()) if effect.of is not None else ()
    for path, handler in effect.routes or ():
        module, _, name = handler.partition(":")
        if (path, handler) in before or module not in node.target.code.modules:
            continue
        if not _defines(node.target.code.modules[module], name):
            sentence = f"{path} is routed to {handler}, which {node.target.code.vsn} does not define; correct its name"
            yield Mistake(step.path, step.line, sentence)
            continue
        if (code := node.module(module)) is None or not _defines(code, name):
            sentence = (
                f"{path} is routed to {handler}, which is not loaded at this step; load {module} before this step"
            )
            yield Mistake(step.path, step.line, sentence)
            continue
        called = node.target.reachable(frozenset((module,)), frozenset()) if node.present[module] == "target" else set()
        for table in node.tables.values():
            for child, runs in table.running.items():
                spec = table.target.children.get(child)
                if not runs and spec is not None and child not in table.left.children and spec.module in called:
                    sentence = (
                        f"{path} is routed to {handler}, which calls {spec.module}, but the child {child} of "
                        f"{table.name} is not started at this step; set the routes after its restart_child"
                    )
                    yield Mistake(step.path, step.line, sentence)


def _defines(code: ModuleCode, name: str) -> bool:
    return name.partition(".")[0] in code.definitions or code.defines_everything


def routes_at_the_end(node: RunningNode, script: CheckedScript) -> Iterator[Mistake]:
    """Yield a mistake for each listener whose routes differ, but that does not get the target's routes."""
    for of, wanted in node.target.routes.items():
        before, now = node.left.routes.get(of), node.routes.get(of)
        if wanted is None or before is None or now is None or set(now) == set(wanted):
            continue
        path, line = script.head("")
        paths = ", ".join(sorted({path for path, _ in set(now) ^ set(wanted)}))
        what = "sets different routes" if of in node.is_set else "does not set its routes"
        yield Mistake(
            path,
            line,
            f'the listener "{of.listener}" has other routes in {node.target.code.vsn}, but the entry {what} '
            f"({paths}); add an apply of a function that calls web.{of.setter} with the routes of "
            f"{node.target.code.vsn}",
        )

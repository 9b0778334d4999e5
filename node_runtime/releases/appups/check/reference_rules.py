"""Checks that nothing needs a removed module any more: no remaining code, no running child, and no route."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node_runtime.releases.appups.code.release_code import CodeReference

from .mistakes import Mistake
from .running_node import RunningNode
from .script_steps import CheckedStep, touched_module


def references_to_a_removed_module(
    node: RunningNode, step: CheckedStep, module: str, rest: Sequence[CheckedStep]
) -> Iterator[Mistake]:
    """Yield a mistake for everything that still needs `module`, which `step` removes.

    `rest` are the steps after `step`.
    """
    later = {name: each for each in rest for part in each.instructions if (name := touched_module(part)) is not None}
    reported: set[str] = set()
    for reference in node.references(module):
        if reference.user not in reported and (sentence := _still_used(node, reference, later)) is not None:
            reported.add(reference.user)
            yield Mistake(step.path, step.line, f"delete_module {module}: {sentence}")
    for path, handler in node.routed(module):
        yield Mistake(
            step.path,
            step.line,
            f"delete_module {module}: requests for {path} are still routed to {handler} at this step; "
            "set the routes before this step",
        )
    for table in node.tables.values():
        for child, runs in table.running.items():
            spec = table.spec(child)
            if spec is not None and module == spec.cls.rpartition(".")[0] and module != spec.module:
                # The class has moved: the upgrade left the process in the module that its specification names.
                continue
            if runs and table.left.is_complete and spec is not None and module in spec.modules:
                yield Mistake(
                    step.path,
                    step.line,
                    f"delete_module {module}: the child {child} of {table.name} ({spec.path}, line {spec.line}) still "
                    f"runs {module} at this step; stop the child first with "
                    f'{{ apply = "node_runtime.supervisor:terminate_child", args = ["{table.name}", "{child}"] }}',
                )


def _still_used(node: RunningNode, reference: CodeReference, later: dict[str, CheckedStep]) -> str | None:
    """Return why a reference to a removed module is a mistake; None if it isn't."""
    user, module = reference.user, reference.module
    verb = "imports it" if reference.is_import else "names it"
    place = f"{user} ({reference.path}, line {reference.line})"
    is_target = node.present[user] == "target"
    stays = user in node.target.code.modules and node.target.uses(user, module)
    if is_target or (stays and user not in later):
        vsn = node.target.code.vsn
        return f"{place} of {vsn} still {verb}; remove the reference, or keep {module}"
    if stays:
        return None  # a mistake in the target's version is reported at the step that loads it
    if user in node.target.code.modules:
        remedy = (
            f"load {user} before this step"
            if user in later
            else f"add an instruction that loads {user} before this step"
        )
        return f"{place} still {verb} at this step; {remedy}"
    if node.left.reaches(module, user):
        return None  # they import each other, so either order is right
    return f"{place} still {verb} at this step; delete {user} before this step"

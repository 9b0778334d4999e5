"""Follows a script step by step, and finds steps that are too early, too late, or missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node_runtime.releases.appups.code.effects import CallEffect, ChildEffect, RouteEffect, call_effects
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.files.appup_instructions import AppupInstruction, ModuleChange
from node_runtime.releases.files.relup_instructions import (
    Apply,
    Remove,
    RestartChild,
    StartProcesses,
    StopProcesses,
)

from .apply_rules import missing_functions
from .child_rules import child_mistakes, children_at_the_end, users_of_a_stopped_child
from .continuity_rules import processes_that_can_not_go_on
from .mistakes import Mistake
from .reference_rules import references_to_a_removed_module
from .route_rules import routes_at_the_end, routes_that_come_too_early
from .running_node import RunningNode
from .script_steps import CheckedScript, CheckedStep


def walk(script: CheckedScript, left: ReleaseFacts, target: ReleaseFacts) -> Iterator[Mistake]:
    """Yield the mistakes that show only when the script's instructions are followed in their order.

    The instructions of modules must be right already (see `wrong_module_instructions`).
    """
    node = RunningNode(left, target, (script.left.view, script.target.view), script.direction)
    for number, step in enumerate(script.steps):
        rest = script.steps[number + 1 :]
        for instruction in step.instructions:
            yield from _called(node, step, instruction, rest)
        for instruction in step.instructions:
            node.change(instruction)
        for instruction in step.instructions:
            if isinstance(instruction, Remove) or (
                isinstance(instruction, ModuleChange) and instruction.action == "delete"
            ):
                yield from references_to_a_removed_module(node, step, instruction.module, rest)
    if not script.restarts:
        yield from children_at_the_end(node, script)
        yield from processes_that_can_not_go_on(node, script)
        yield from routes_at_the_end(node, script)


def _called(
    node: RunningNode, step: CheckedStep, instruction: AppupInstruction, rest: Sequence[CheckedStep]
) -> Iterator[Mistake]:
    """Yield the mistakes in the calls that an instruction makes, and apply their effects to the model `node`."""
    if isinstance(instruction, Apply):
        yield from missing_functions(node, step, instruction)
    for effect in _effects(node, instruction):
        if isinstance(effect, RouteEffect):
            yield from routes_that_come_too_early(node, step, effect)
            node.set_routes(effect)
            continue
        yield from child_mistakes(node, step, effect)
        if effect.verb == "stop":
            yield from users_of_a_stopped_child(node, step, effect, rest)
        _carry_out(node, effect)


def _effects(node: RunningNode, instruction: AppupInstruction) -> list[CallEffect]:
    match instruction:
        case Apply():
            module = instruction.function.partition(":")[0]
            facts = node.facts(node.present.get(module, "left"))
            return call_effects(facts.code, instruction.function, instruction.args)
        case RestartChild():
            return [ChildEffect(verb, instruction.supervisor, instruction.child) for verb in ("stop", "start")]
        case StopProcesses() | StartProcesses():
            verb = "stop" if isinstance(instruction, StopProcesses) else "start"
            return [
                ChildEffect("stop" if verb == "stop" else "start", table.name, child)
                for table in node.tables.values()
                for child, runs in table.running.items()
                if runs is (verb == "stop")
                and (spec := table.spec(child)) is not None
                and not set(spec.modules).isdisjoint(instruction.modules)
            ]
        case _:
            return []


def _carry_out(node: RunningNode, effect: ChildEffect) -> None:
    table = node.table(effect)
    if effect.supervisor is None or effect.child is None:
        node.children_are_known = False
    elif table is not None:
        if effect.verb == "delete":
            table.running.pop(effect.child, None)
        else:
            table.running[effect.child] = effect.verb == "start"
        if effect.verb == "stop":
            loaded = {module for module, release in node.present.items() if release == "target"}
            node.stopped.setdefault((table.name, effect.child), loaded)

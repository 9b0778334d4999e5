"""Checks that a script migrates the states of each server whose state class or code_change changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from node_runtime.releases.appups.code.state_change import StateChange
from node_runtime.releases.files.appup_instructions import ApplicationChange, AppupInstruction, ModuleChange
from node_runtime.releases.files.relup_instructions import CodeChange, Load, StopProcesses

from .mistakes import Mistake
from .module_rules import application_modules
from .script_steps import CheckedScript


def states_without_code_change(script: CheckedScript, changes: Mapping[str, StateChange]) -> Iterator[Mistake]:
    """Yield a mistake for each server whose states must be migrated, but are not.

    The script only loads the module of the server, or doesn't name the module at all.
    """
    if script.restarts:
        return
    migrated = {module for step in script.steps for each in step.instructions for module in _migrated(script, each)}
    loads = {
        module: (step.path, step.line, verb)
        for step in script.steps
        for each in step.instructions
        for module, verb in _loaded(each)
    }
    for change in changes.values():
        module = change.module
        if module in migrated:
            continue
        remedy = f'{{ update = "{module}", change = "advanced" }}'
        if module in loads:
            path, line, verb = loads[module]
            sentence = f"{verb} {module}: {change.reason}, but {verb} keeps the states as they are; use {remedy}"
            yield Mistake(path, line, sentence)
        else:
            app = next((app.name for app in script.target.view.apps if module in app.modules), "")
            path, line = script.head(app)
            if app not in script.heads:
                remedy += f" to an appup of {app}, which needs a new vsn for this"
            sentence = f"{change.reason}, and the processes of {module} have such states; add {remedy}"
            yield Mistake(path, line, sentence)


def _migrated(script: CheckedScript, instruction: AppupInstruction) -> Iterable[str]:
    """Return the modules whose processes an instruction migrates or stops."""
    match instruction:
        case ModuleChange(action="update", change="advanced"):
            return (instruction.module,)
        case CodeChange():
            return [changed.module for changed in instruction.modules]
        case StopProcesses():
            return instruction.modules
        case ApplicationChange():
            return application_modules(script, instruction)
        case _:
            return ()


def _loaded(instruction: AppupInstruction) -> Iterator[tuple[str, str]]:
    """Yield the module that an instruction loads without migrating its processes, and the instruction's name."""
    match instruction:
        case ModuleChange(action="load" | "update", change="soft"):
            yield instruction.module, "update" if instruction.action == "update" else "load_module"
        case Load():
            yield instruction.module, "load"
        case _:
            pass

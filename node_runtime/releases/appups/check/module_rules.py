"""Checks that each module that differs between two releases has one instruction, of the right kind.

Upgrade and downgrade are checked alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.releases.appups.sources.release_source import ReleaseSource
from node_runtime.releases.files.appup_instructions import ApplicationChange, ModuleChange

from .mistakes import Mistake
from .script_steps import CheckedScript, touched_module


def wrong_module_instructions(script: CheckedScript) -> Iterator[Mistake]:
    """Yield a mistake for each instruction that doesn't fit its module, and for each second instruction for a module.

    For example, `load_module` doesn't fit a module that both releases lack, and `add_module` doesn't fit a module that
    both releases have.
    """
    seen: dict[str, int | None] = {}
    for step in script.steps:
        for instruction in step.instructions:
            if not isinstance(instruction, ModuleChange):
                continue
            module = instruction.module
            if sentence := _wrong_kind(script, instruction):
                yield Mistake(step.path, step.line, sentence)
            elif module in seen:
                yield Mistake(
                    step.path,
                    step.line,
                    f"{module} has an instruction in line {seen[module]} already; remove one of them",
                )
            seen.setdefault(module, step.line)


def _wrong_kind(script: CheckedScript, change: ModuleChange) -> str | None:
    left, target = script.left, script.target
    name = change.action if change.action == "update" else f"{change.action}_module"
    is_left, is_target = change.module in left.modules, change.module in target.modules
    if not is_left and not is_target:
        return (
            f"{name} {change.module}: neither {left.name} {left.vsn} nor {target.vsn} has this module; "
            "correct the name, or remove the instruction"
        )
    match change.action:
        case "add" if is_left:
            remedy = "load_module" if is_target else "delete_module"
            return f"add_module {change.module}: {left.vsn} has this module already; use {remedy}"
        case "load" | "update" if not is_left:
            return f"{name} {change.module}: the module is new in {target.vsn}; use add_module"
        case "load" | "update" if not is_target:
            return f"{name} {change.module}: {target.vsn} has no such module; use delete_module"
        case "delete" if is_target:
            remedy = "use load_module" if is_left else "use add_module"
            return f"delete_module {change.module}: {target.vsn} has this module; {remedy}, or remove the instruction"
        case _:
            return None


def modules_without_instruction(script: CheckedScript) -> Iterator[Mistake]:
    """Yield a mistake for each module that differs and has no instruction."""
    touched = set(_touched(script))
    for app, (path, line) in script.heads.items():
        for module, word, remedy in differing_modules(script.left, script.target, app):
            if module not in touched:
                yield Mistake(
                    path,
                    line,
                    f"{module} {word} from {script.left.vsn} to {script.target.vsn}, but the entry under "
                    f'`{script.direction}` has no instruction for it; add {{ {remedy} = "{module}" }}',
                )


def differing_modules(left: ReleaseSource, target: ReleaseSource, app: str) -> Iterator[tuple[str, str, str]]:
    """Yield (module, difference, instruction) for each module of `app` that differs.

    An example is ("fil.x", "is new", "add_module").
    """
    old, new = left.view.app(app), target.view.app(app)
    before, after = old.modules if old else {}, new.modules if new else {}
    for module in dict.fromkeys((*after, *before)):
        if module not in before:
            yield module, "is new", "add_module"
        elif module not in after:
            yield module, "was removed", "delete_module"
        elif before[module] != after[module]:
            yield module, "was changed", "load_module"
        elif left.modules[module].is_package is not target.modules[module].is_package:
            # Its text is the same, but only a package can import the modules below it.
            yield module, f"becomes a {'package' if target.modules[module].is_package else 'module'}", "load_module"


def _touched(script: CheckedScript) -> Iterator[str]:
    for step in script.steps:
        for instruction in step.instructions:
            if isinstance(instruction, ApplicationChange):
                yield from application_modules(script, instruction)
            elif (module := touched_module(instruction)) is not None:
                yield module


def application_modules(script: CheckedScript, change: ApplicationChange) -> list[str]:
    """Return all modules that an application has in one of the two releases: `change` loads or removes them."""
    views = (script.left.view.app(change.application), script.target.view.app(change.application))
    return [module for view in views if view is not None for module in view.modules]

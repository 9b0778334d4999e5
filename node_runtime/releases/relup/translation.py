"""Translation of the appups of two releases into a relup. Follows OTP's systools and relup(4).

The result depends only on two `ReleaseView`s. There are three intended differences from OTP: the default purge mode is
"soft_purge"; a changed module without an instruction is an error; a `code_change` for a module that no instruction
suspends is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NoReturn, assert_never

import msgspec
from msgspec.structs import replace

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.appup_instructions import (
    ApplicationChange,
    AppupInstruction,
    ModuleChange,
    ReleaseStartType,
)
from node_runtime.releases.files.release_model import AppView, ReleaseView
from node_runtime.releases.files.relup_instructions import (
    Apply,
    ChangedModule,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    RelupInstruction,
    Remove,
    RestartChild,
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendedModule,
    SuspendProcesses,
    SyncNodes,
)

from .child_order import with_children_restarted_last
from .components import components
from .restart_order import with_sorted_restarts
from .script_check import check_low_level, check_suspended

APPLICATION = "node_runtime.application"


class NoPath(Refused):
    """The appup of an application has no entry that leads from one of its two versions to the other."""


class Relup(msgspec.Struct, frozen=True):
    """The scripts of the upgrade from release `older` to release `newer`, and of the downgrade back."""

    older: str
    newer: str
    up: list[RelupInstruction]
    down: list[RelupInstruction]


def make_relup(older: ReleaseView, newer: ReleaseView) -> Relup:
    """Translate the upgrade from `older` to `newer` and the downgrade back. Raises `Refused`."""
    return Relup(older.vsn, newer.vsn, translate(older, newer, "up"), translate(older, newer, "down"))


def translate(older: ReleaseView, newer: ReleaseView, direction: Direction) -> list[RelupInstruction]:
    """Return the script of the upgrade to `newer` or of the downgrade to `older`, from the appups of `newer`.

    Raises `NoPath` if an appup has no entry for the other version of its application, and `Refused` for a wrong appup.
    """
    return _Translation(older, newer, direction).run()


class _Translation:
    """The translation of one direction between two releases, from `left` to `target`."""

    def __init__(self, older: ReleaseView, newer: ReleaseView, direction: Direction) -> None:
        self.older, self.newer, self.direction = older, newer, direction
        self.left, self.target = (older, newer) if direction == "up" else (newer, older)
        self.left_owner, self.target_owner = self.left.owners(), self.target.owners()

    def run(self) -> list[RelupInstruction]:
        before, after = self.concatenated(self.scripts())
        changes = self.checked_changes(after)
        self.check_mentions(after)
        codes, low = self.grouped(after, changes)
        objects, applies = _split(before)
        check_low_level([*objects, *(step for step in after if not isinstance(step, ModuleChange))])
        check_suspended(low)
        script: list[RelupInstruction] = [*_merged_object_code(objects + codes), *applies, PointOfNoReturn(), *low]
        return with_sorted_restarts(with_children_restarted_last(script), self.direction)

    # ------------------------------------------------------------------ collecting

    def scripts(self) -> list[tuple[AppupInstruction, ...]]:
        """Return the instructions for added, changed and removed applications, in this order.

        An added application starts after the applications that it needs, and a removed one stops before them.
        """
        both = [
            script
            for app in self.newer.apps
            if (old := self.older.app(app.name)) and (script := self.script(old, app)) is not None
        ]
        added = [app for app in self.target.apps if self.left.app(app.name) is None]
        removed = [app for app in self.left.apps if self.target.app(app.name) is None]
        return [
            *((ApplicationChange("add", app.name, app.start),) for app in added),
            *both,
            *((ApplicationChange("remove", app.name),) for app in reversed(removed)),
        ]

    def script(self, old: AppView, new: AppView) -> tuple[AppupInstruction, ...] | None:
        if old.vsn == new.vsn:
            changed = [name for name, sha256 in new.modules.items() if old.modules.get(name) != sha256]
            changed += [name for name in old.modules if name not in new.modules]
            if changed:
                raise Refused(
                    f"{changed[0]} differs between release {self.older.vsn} and release {self.newer.vsn}, but both "
                    f"have the application {new.name} {new.vsn}: give {new.name} a new vsn and an appup."
                )
            return None
        for entry in new.up if self.direction == "up" else new.down:
            if entry.matches(old.vsn):
                return entry.instructions
        missing = f"an upgrade from {old.vsn}" if self.direction == "up" else f"a downgrade to {old.vsn}"
        raise NoPath(f"the appup of {new.name} {new.vsn} has no entry for {missing}.")

    def concatenated(
        self, scripts: Iterable[Sequence[AppupInstruction]]
    ) -> tuple[list[LoadObjectCode | Apply], list[ModuleChange | RelupInstruction]]:
        """Return the instructions of all scripts: those before the points of no return, and those after them.

        Instructions that read code always belong to the first group. A script without a point of no return has no other
        instructions in the first group.
        """
        before: list[LoadObjectCode | Apply] = []
        after: list[ModuleChange | RelupInstruction] = []
        for script in scripts:
            bars = [index for index, step in enumerate(script) if isinstance(step, PointOfNoReturn)]
            if len(bars) > 1:
                raise Refused("an upgrade or downgrade may have only one point_of_no_return.")
            bar = bars[0] if bars else -1
            before += [_preparing(step) for step in script[: max(bar, 0)]]
            before += [step for step in script[bar + 1 :] if isinstance(step, LoadObjectCode)]
            behind = [step for step in script[bar + 1 :] if not isinstance(step, LoadObjectCode)]
            after += [part for step in behind for part in self.expanded(step)]
        return before, after

    # ------------------------------------------------------------------ applications

    def expanded(self, step: AppupInstruction) -> list[ModuleChange | RelupInstruction]:
        """Return the instructions that carry out an ApplicationChange. Any other instruction is returned as it is."""
        if not isinstance(step, ApplicationChange):
            return [step]
        name = step.application
        old, new = self.left.app(name), self.target.app(name)
        match step.action:
            case "add":
                return [*self.added(new or self.refuse_missing(step, self.target), step.start)]
            case "remove":
                stopped = _stop_and_remove(old or self.refuse_missing(step, self.left))
                if new is not None:
                    vsn = self.target.vsn
                    raise Refused(
                        f"remove_application: {name} is still in release {vsn}; correct the appup or the release."
                    )
                return [*stopped, Apply(f"{APPLICATION}:unload", (name,))]
            case "restart":
                new, old = new or self.refuse_missing(step, self.target), old or self.refuse_missing(step, self.left)
                return [*_stop_and_remove(old), *self.added(new, step.start)]
            case action:
                assert_never(action)

    def refuse_missing(self, step: ApplicationChange, release: ReleaseView) -> NoReturn:
        raise Refused(f"{step.action}_application: release {release.vsn} has no {step.application}; correct the name.")

    def added(self, app: AppView, start: ReleaseStartType | None) -> list[ModuleChange | Apply]:
        return [*(ModuleChange("add", module) for module in app.modules), *_start(app, start)]

    # ------------------------------------------------------------------ modules

    def checked_changes(self, after: Sequence[ModuleChange | RelupInstruction]) -> dict[str, ModuleChange]:
        changes: dict[str, ModuleChange] = {}
        for step in after:
            if isinstance(step, ModuleChange):
                if step.module in changes:
                    raise Refused(f"{step.module} has two instructions in the appup: remove one of them.")
                owner, release = (
                    (self.left_owner, self.left) if step.action == "delete" else (self.target_owner, self.target)
                )
                if step.module not in owner:
                    raise Refused(
                        f"{step.action} {step.module}: no application of release {release.vsn} has that module; "
                        "correct the name, or remove the instruction."
                    )
                changes[step.module] = step
        for change in changes.values():
            for needed in change.deps:
                if needed not in changes:
                    raise Refused(
                        f"{change.module} has {needed} in its deps, but {needed} has no instruction of its own; "
                        f"add one, or correct the deps."
                    )
        return changes

    def check_mentions(self, after: Sequence[ModuleChange | RelupInstruction]) -> None:
        """Raise `Refused` if a module that differs has no instruction. OTP does not check this."""
        mentioned = {_mentioned(step) for step in after}
        for new in self.target.apps:
            old = self.left.app(new.name)
            if old is None:
                continue
            for module in [*new.modules, *(name for name in old.modules if name not in new.modules)]:
                if module in mentioned or old.modules.get(module) == new.modules.get(module):
                    continue
                word, remedy = "changed", "load_module"
                if module not in old.modules:
                    word, remedy = "was added", "add_module"
                elif module not in new.modules:
                    word, remedy = "was removed", "delete_module"
                raise Refused(
                    f"{module} {word} between {new.name} {old.vsn} and {new.vsn}, but the appup's entry under "
                    f'"{self.direction}" has no instruction for it; add for example {{ {remedy} = "{module}" }}.'
                )

    def grouped(
        self, after: Sequence[ModuleChange | RelupInstruction], changes: dict[str, ModuleChange]
    ) -> tuple[list[LoadObjectCode], list[RelupInstruction]]:
        """Return the instructions that read code, and all others. A component is at the place of its first module."""
        groups = {
            member: group
            for group in components({name: change.deps for name, change in changes.items()})
            for member in group
        }
        emitted: set[str] = set()
        codes: list[LoadObjectCode] = []
        low: list[RelupInstruction] = []
        for step in after:
            if isinstance(step, ModuleChange):
                if step.module not in emitted:
                    group = groups[step.module]
                    emitted.update(group)
                    members = [changes[name] for name in group]
                    codes += [self.object_code(member) for member in members if member.action != "delete"]
                    low += _component(members, self.direction)
            else:
                low.append(step)
        return codes, low

    def object_code(self, change: ModuleChange) -> LoadObjectCode:
        app = self.target_owner[change.module]
        return LoadObjectCode(app.name, app.vsn, (change.module,))


def _mentioned(step: ModuleChange | RelupInstruction) -> str | None:
    """Return the module that an instruction loads or removes; None for other instructions."""
    match step:
        case ModuleChange() | Load() | Remove():
            return step.module
        case (
            LoadObjectCode()
            | PointOfNoReturn()
            | Purge()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StopProcesses()
            | StartProcesses()
            | RestartChild()
            | Apply()
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            return None
        case _:
            assert_never(step)


def _component(members: Sequence[ModuleChange], direction: Direction) -> list[RelupInstruction]:
    """Return the instructions for one component. In `members`, each module comes before those that it depends on."""
    updates = [member for member in members if member.action == "update"]
    advanced = [member for member in updates if member.change == "advanced"]
    suspend = tuple(SuspendedModule(update.module, update.timeout) for update in updates)
    loads = [_load(member) for member in (members if direction == "down" else reversed(members))]
    load = [step for steps in loads for step in steps]
    resume = tuple(update.module for update in reversed(updates))
    if direction == "up":
        changing = [*load, *_code_change("up", advanced)]
    else:
        dynamic = [member for member in advanced if member.type == "dynamic"]
        static = [member for member in advanced if member.type == "static"]
        changing = [*_code_change("down", dynamic), *load, *_code_change("down", static)]
    script: list[RelupInstruction] = [SuspendProcesses(suspend)] if suspend else []
    script += changing
    script += [ResumeProcesses(resume)] if resume else []
    return script


def _load(member: ModuleChange) -> list[Load | Remove | Purge]:
    match member.action:
        case "update" | "load" | "add":
            return [Load(member.module, member.pre_purge, member.post_purge)]
        case "delete":
            return [Remove(member.module, member.pre_purge, member.post_purge), Purge((member.module,))]
        case action:
            assert_never(action)


def _code_change(direction: Direction, members: Sequence[ModuleChange]) -> list[CodeChange]:
    changed = tuple(ChangedModule(member.module, member.extra) for member in members)
    return [CodeChange(direction, changed)] if changed else []


def _stop_and_remove(app: AppView) -> list[Apply | Remove | Purge]:
    return [Apply(f"{APPLICATION}:stop", (app.name,)), *map(Remove, app.modules), Purge(tuple(app.modules))]


def _start(app: AppView, start: ReleaseStartType | None) -> list[Apply]:
    match start or app.start:
        case "none":
            return []
        case "load":
            return [Apply(f"{APPLICATION}:load", (app.name,))]
        case "permanent" | "transient" | "temporary" as kind:
            return [Apply(f"{APPLICATION}:start", (app.name, kind))]
        case kind:
            assert_never(kind)


def _preparing(step: AppupInstruction) -> LoadObjectCode | Apply:
    """Return `step` if it may precede the point of no return; otherwise, raise `Refused`."""
    match step:
        case LoadObjectCode() | Apply():
            return step
        case ModuleChange():
            refused = f"{step.action} of {step.module}"
        case ApplicationChange():
            refused = f"{step.action} of {step.application}"
        case (
            PointOfNoReturn()
            | Load()
            | Remove()
            | Purge()
            | SuspendProcesses()
            | ResumeProcesses()
            | CodeChange()
            | StopProcesses()
            | StartProcesses()
            | RestartChild()
            | SyncNodes()
            | RestartEmulator()
            | RestartNewEmulator()
        ):
            refused = step.name
        case _:
            assert_never(step)
    raise Refused(f"{refused} can't be before point_of_no_return: only load_object_code and apply can.")


def _split(steps: Iterable[LoadObjectCode | Apply]) -> tuple[list[LoadObjectCode], list[Apply]]:
    """Split the instructions before the point of no return by their kind."""
    objects: list[LoadObjectCode] = []
    applies: list[Apply] = []
    for step in steps:
        match step:
            case LoadObjectCode():
                objects.append(step)
            case Apply():
                applies.append(step)
            case _:
                assert_never(step)
    return objects, applies


def _merged_object_code(steps: Iterable[LoadObjectCode]) -> list[LoadObjectCode]:
    """Merge the instructions so that each application has one.

    A module counts at its last place. Raises `Refused` for two versions of an application.
    """
    merged: dict[str, LoadObjectCode] = {}
    modules: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for step in steps:
        known = merged.setdefault(step.application, step)
        if known.vsn != step.vsn:
            raise Refused(
                f"the script loads two versions of {step.application}, {known.vsn} and {step.vsn}; correct the appup."
            )
        for module in step.modules:
            modules[step.application].pop(module, None)
            modules[step.application][module] = None
    return [replace(step, modules=tuple(modules[application])) for application, step in merged.items()]

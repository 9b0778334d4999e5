"""From the appups of two releases to the low-level instructions between them. Follows OTP's systools and relup(4).

A pure function over two `ReleaseView`s. It differs from OTP on purpose in three ways: a purge that is left out is a
soft one, a changed module that no instruction mentions is an error, and so is a `code_change` of a module that
nothing suspends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.appup_instructions import (
    APPLICATION,
    ApplicationChange,
    Instruction,
    Low,
    ModuleChange,
    StartType,
    apply,
)
from node_runtime.releases.files.release_model import AppView, ReleaseView

from .components import components

PONR = "point_of_no_return"


class NoPath(Refused):
    """No appup says how to go between the two versions of an application."""


def relup(older: ReleaseView, newer: ReleaseView) -> dict[str, Any]:
    """Both ways between two releases, as `node-runtime relup --json` prints them. Raises `Refused`."""
    return {
        "from": older.vsn,
        "to": newer.vsn,
        "up": translate(older, newer, "up"),
        "down": translate(older, newer, "down"),
    }


def translate(older: ReleaseView, newer: ReleaseView, direction: Direction) -> list[Low]:
    """The instructions that go from `older` "up" to `newer`, or "down" from it. The appups are those of `newer`.

    Raises `NoPath` when a changed application has no entry for the other version, and `Refused` for a wrong appup.
    """
    return _Translation(older, newer, direction).run()


class _Translation:
    """One way between two releases; `left` is the release that is left, `target` the one that is gone to."""

    def __init__(self, older: ReleaseView, newer: ReleaseView, direction: Direction) -> None:
        self.older, self.newer, self.direction = older, newer, direction
        self.left, self.target = (older, newer) if direction == "up" else (newer, older)
        self.left_owner, self.target_owner = self.left.owners(), self.target.owners()

    def run(self) -> list[Low]:
        before, after = self.merged(self.scripts())
        changes = self.checked_changes(after)
        self.check_mentions(before, after, changes)
        codes, low = self.grouped(after, changes)
        objects = [step for step in before if step[0] == "load_object_code"] + codes
        applies = [step for step in before if step[0] != "load_object_code"]
        script = [*_merged_object_code(objects), *applies, [PONR], *low]
        _check_low(script)
        return _restarts_sorted(script, self.direction)

    # ------------------------------------------------------------------ collecting

    def scripts(self) -> list[tuple[Instruction, ...]]:
        """A script for each application that differs: new ones first, removed ones last, in the newer's start order."""
        both = [
            script
            for app in self.newer.apps
            if (old := self.older.app(app.name)) and (script := self.script(old, app)) is not None
        ]
        added = [app for app in self.target.apps if self.left.app(app.name) is None]
        removed = [app for app in self.left.apps if self.target.app(app.name) is None]
        return [
            *((ApplicationChange("add", app.name),) for app in added),
            *both,
            *((ApplicationChange("remove", app.name),) for app in removed),
        ]

    def script(self, old: AppView, new: AppView) -> tuple[Instruction, ...] | None:
        if old.vsn == new.vsn:
            changed = [name for name, sha256 in new.modules.items() if old.modules.get(name) != sha256]
            changed += [name for name in old.modules if name not in new.modules]
            if changed:
                raise Refused(
                    f"{changed[0]} differs between {self.older.vsn} and {self.newer.vsn}, but {new.name} is "
                    f"{new.vsn} in both: give {new.name} a new vsn and an appup."
                )
            return None
        for entry in new.up if self.direction == "up" else new.down:
            if entry.matches(old.vsn):
                return entry.instructions
        way = f"up from {old.vsn}" if self.direction == "up" else f"down to {old.vsn}"
        raise NoPath(f"the appup of {new.name} {new.vsn} has no way {way}.")

    def merged(self, scripts: Iterable[Sequence[Instruction]]) -> tuple[list[Low], list[Instruction]]:
        """All before-parts, then all after-parts. A script that names no point of no return is all after-part."""
        before: list[Low] = []
        after: list[Instruction] = []
        for script in scripts:
            bars = [place for place, step in enumerate(script) if step == [PONR]]
            if len(bars) > 1:
                raise Refused("an appup's script may have one point_of_no_return, not several.")
            bar = bars[0] if bars else -1
            for step in script[: max(bar, 0)]:
                if not isinstance(step, list) or step[0] not in ("load_object_code", "apply"):
                    raise Refused(
                        f"{_name(step)} can't stand before point_of_no_return: only load_object_code and apply."
                    )
                before.append(step)
            after += [part for step in script[bar + 1 :] for part in self.opened(step)]
        return before, after

    # ------------------------------------------------------------------ applications

    def opened(self, step: Instruction) -> list[Instruction]:
        """An application's instruction as instructions for its modules."""
        if not isinstance(step, ApplicationChange):
            return [step]
        name = step.application
        old, new = self.left.app(name), self.target.app(name)
        if step.action == "remove":
            if old is None:
                raise Refused(f"remove_application: {self.left.vsn} has no application {name}.")
            if new is not None:
                raise Refused(f"remove_application: {name} is still in {self.target.vsn}.")
            return [*_removed(old), apply(f"{APPLICATION}:unload", [name])]
        if new is None or (step.action == "restart" and old is None):
            missing = self.target if new is None else self.left
            raise Refused(f"{step.action}_application: {missing.vsn} has no application {name}.")
        stop = _removed(old) if step.action == "restart" and old is not None else []
        return [*stop, *(ModuleChange("add", module) for module in new.modules), *_started(new, step.start)]

    # ------------------------------------------------------------------ modules

    def checked_changes(self, after: Sequence[Instruction]) -> dict[str, ModuleChange]:
        changes: dict[str, ModuleChange] = {}
        for step in after:
            if isinstance(step, ModuleChange):
                if step.module in changes:
                    raise Refused(f"{step.module} has two instructions: a module may be mentioned once.")
                owner, release = (
                    (self.left_owner, self.left) if step.action == "delete" else (self.target_owner, self.target)
                )
                if step.module not in owner:
                    raise Refused(f"{step.action} of {step.module}: no application of {release.vsn} has that module.")
                changes[step.module] = step
        for change in changes.values():
            for needed in change.deps:
                if needed not in changes:
                    raise Refused(f"{change.module} depends on {needed}, which has no instruction of its own.")
        return changes

    def check_mentions(
        self, before: Sequence[Low], after: Sequence[Instruction], changes: dict[str, ModuleChange]
    ) -> None:
        """Every module that differs has to be mentioned: OTP doesn't notice, and the node then runs a mixture."""
        mentioned = set(changes)
        for step in [*before, *after]:
            if isinstance(step, list) and step[0] in ("load", "remove"):
                mentioned.add(step[1])
        for new in self.target.apps:
            old = self.left.app(new.name)
            if old is None:
                continue
            for module in [*new.modules, *(name for name in old.modules if name not in new.modules)]:
                if module in mentioned or old.modules.get(module) == new.modules.get(module):
                    continue
                word, remedy = "changed", "load_module"
                if module not in old.modules:
                    word, remedy = "is new", "add_module"
                elif module not in new.modules:
                    word, remedy = "is gone", "delete_module"
                raise Refused(
                    f"{module} {word} between {new.name} {old.vsn} and {new.vsn}, but the appup's way "
                    f'{self.direction} does not mention it: add {{ {remedy} = "{module}" }} or what it needs.'
                )

    def grouped(self, after: Sequence[Instruction], changes: dict[str, ModuleChange]) -> tuple[list[Low], list[Low]]:
        """A component stands where its first member stood; everything else keeps its place and is no barrier."""
        groups = {
            member: group
            for group in components({name: change.deps for name, change in changes.items()})
            for member in group
        }
        emitted: set[str] = set()
        codes: list[Low] = []
        low: list[Low] = []
        for step in after:
            if isinstance(step, ModuleChange):
                if step.module not in emitted:
                    group = groups[step.module]
                    emitted.update(group)
                    members = [changes[name] for name in group]
                    codes += [self.object_code(member) for member in members if member.action != "delete"]
                    low += _component(members, self.direction)
            else:
                low.append(cast("Low", step))
        return codes, low

    def object_code(self, change: ModuleChange) -> Low:
        app = self.target_owner[change.module]
        return ["load_object_code", app.name, app.vsn, [change.module]]


def _component(members: Sequence[ModuleChange], direction: Direction) -> list[Low]:
    """The instructions for one component, whose `members` have the dependents first."""
    updates = [member for member in members if member.action == "update"]
    advanced = [member for member in updates if member.change == "advanced"]
    suspend = [[u.module, u.timeout] if u.timeout is not None else u.module for u in updates]
    loads = [_load(member) for member in (members if direction == "down" else reversed(members))]
    load = [step for steps in loads for step in steps]
    resume = [update.module for update in reversed(updates)]
    if direction == "up":
        changing = [*load, *_code_change("up", advanced)]
    else:
        dynamic = [member for member in advanced if member.type == "dynamic"]
        static = [member for member in advanced if member.type == "static"]
        changing = [*_code_change("down", dynamic), *load, *_code_change("down", static)]
    return [*([["suspend", suspend]] if suspend else []), *changing, *([["resume", resume]] if resume else [])]


def _load(member: ModuleChange) -> list[Low]:
    if member.action == "delete":
        return [["remove", member.module, member.pre_purge, member.post_purge], ["purge", [member.module]]]
    return [["load", member.module, member.pre_purge, member.post_purge]]


def _code_change(direction: Direction, members: Sequence[ModuleChange]) -> list[Low]:
    return [["code_change", direction, [[member.module, member.extra] for member in members]]] if members else []


def _removed(app: AppView) -> list[Low]:
    modules = list(app.modules)
    return [
        apply(f"{APPLICATION}:stop", [app.name]),
        *(["remove", module, "soft_purge", "soft_purge"] for module in modules),
        ["purge", modules],
    ]


def _started(app: AppView, start: StartType | None) -> list[Low]:
    match start or app.start:
        case "none":
            return []
        case "load":
            return [apply(f"{APPLICATION}:load", [app.name])]
        case kind:
            return [apply(f"{APPLICATION}:start", [app.name, kind])]


def _merged_object_code(steps: Iterable[Low]) -> list[Low]:
    """One load_object_code for each application."""
    merged: dict[str, Low] = {}
    for _, app, vsn, modules in steps:
        if app not in merged:
            merged[app] = ["load_object_code", app, vsn, list(modules)]
        elif merged[app][2] != vsn:
            raise Refused(f"the script loads {app} in two versions, {merged[app][2]} and {vsn}.")
        else:
            merged[app][3] += modules
    return list(merged.values())


def _check_low(script: Sequence[Low]) -> None:
    """What OTP checks of a finished script, and that only suspended processes are migrated."""
    prepared = {module for step in script if step[0] == "load_object_code" for module in step[3]}
    for step in script:
        if step[0] == "load" and step[1] not in prepared:
            raise Refused(f"{step[1]} is loaded, but no load_object_code reads it.")
    for begin, end in (("suspend", "resume"), ("stop", "start")):
        begun, ended = _modules(script, begin), _modules(script, end)
        if begun != ended:
            odd = sorted(begun ^ ended)[0]
            raise Refused(f"the script must {begin} and {end} the same modules, but {odd} has only one of the two.")
    migrated = {module for step in script if step[0] == "code_change" for module, _ in step[2]}
    if unheld := sorted(migrated - _modules(script, "suspend")):
        raise Refused(f"code_change of {unheld[0]}: nothing suspends its processes.")


def _modules(script: Iterable[Low], name: str) -> set[str]:
    return {entry if isinstance(entry, str) else entry[0] for step in script if step[0] == name for entry in step[1]}


def _restarts_sorted(script: list[Low], direction: Direction) -> list[Low]:
    """A restart of the new emulator comes first on the way up; any other restart comes once, last."""
    names = [step[0] for step in script]
    rest = [step for step in script if step[0] not in ("restart_emulator", "restart_new_emulator")]
    new = "restart_new_emulator" in names
    first: list[Low] = [["restart_new_emulator"]] if new and direction == "up" else []
    last: list[Low] = [["restart_emulator"]] if "restart_emulator" in names or (new and direction == "down") else []
    return [*first, *rest, *last]


def _name(step: Instruction) -> str:
    if isinstance(step, list):
        return str(step[0])
    return f"{step.action} of {step.module if isinstance(step, ModuleChange) else step.application}"

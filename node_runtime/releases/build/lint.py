"""Checks of a project's code and appups before it is built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import assert_never

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.appup_instructions import ApplicationChange, AppupInstruction, ModuleChange
from node_runtime.releases.files.names import RESERVED_PACKAGES
from node_runtime.releases.files.relup_instructions import (
    Apply,
    CodeChange,
    Load,
    LoadObjectCode,
    PointOfNoReturn,
    Purge,
    Remove,
    RestartChild,
    RestartEmulator,
    RestartNewEmulator,
    ResumeProcesses,
    StartProcesses,
    StopProcesses,
    SuspendProcesses,
    SyncNodes,
)
from node_runtime.releases.files.schemas import App, Appup
from node_runtime.releases.files.toml_reading.toml_file import refusal_at


def check_syntax(path: Path, source: bytes) -> None:
    """Raise `Refused` with the line of a syntax error in `source`."""
    try:
        compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Refused(f"{path}, line {error.lineno or 1}: {error.msg}.") from None
    except (RecursionError, MemoryError):
        raise Refused(f"{path}: the code is nested too deeply for Python.") from None
    except ValueError as error:
        raise Refused(f"{path}, line 1: {error}.") from None  # null bytes, before Python 3.11.4


def check_owners(modules: Mapping[str, Collection[str]]) -> None:
    """Raise `Refused` if two applications have the same module, or if a module belongs to a reserved package."""
    owners: dict[str, str] = {}
    for app, names in modules.items():
        for module in names:
            if (root := module.partition(".")[0]) in RESERVED_PACKAGES:
                raise Refused(
                    f"Application {app} has the module {module}, but {root} is the name of a module of Python or of "
                    f"the node; rename {module}."
                )
            if owners.setdefault(module, app) != app:
                raise Refused(
                    f"Module {module} is in two applications, {owners[module]} and {app}; keep it in one of them."
                )


def check_appup(path: Path, app: App, appup: Appup, modules: Collection[str]) -> None:
    """Raise `Refused` for a mistake in the appup, which is the content of the file `path`.

    The appup must have the version of `app`, and no entry may have a second point_of_no_return. `modules` are the
    modules of `app`. Instructions must name one of these modules, with two exceptions: an upgrade may delete only other
    modules, and a downgrade may add only other modules. The modules of the earlier version are not known here, so the
    names of other modules are not checked.
    """
    if appup.vsn != app.vsn:
        raise refusal_at(
            path, ("vsn",), f"vsn is {appup.vsn}, but this is the appup of {app.name} {app.vsn}; correct it"
        )
    for direction, entries in (("up", appup.up), ("down", appup.down)):
        for index, entry in enumerate(entries):
            points = [number for number, step in enumerate(entry.instructions) if isinstance(step, PointOfNoReturn)]
            if len(points) > 1:
                place = (direction, index, "instructions", points[1])
                raise refusal_at(path, place, "an entry may have only one point_of_no_return; remove this one")
    # An upgrade ends in the version of `app`, a downgrade begins in it.
    for direction, absent, entries in (("up", "delete", appup.up), ("down", "add", appup.down)):
        for index, entry in enumerate(entries):
            for number, step in enumerate(entry.instructions):
                change = _module_change(step)
                if change is None:
                    continue
                place = (direction, index, "instructions", number)
                if change.action == absent and change.module in modules:
                    raise refusal_at(
                        path,
                        place,
                        f"{absent}_module {change.module}: {app.name} {app.vsn} has this module; "
                        "use another instruction",
                    )
                if change.action != absent and change.module not in modules:
                    raise refusal_at(
                        path, place, f"{app.name} {app.vsn} has no module {change.module}; correct the name"
                    )


def _module_change(step: AppupInstruction) -> ModuleChange | None:
    """Return the instruction if it changes one module; else None."""
    match step:
        case ModuleChange():
            return step
        case (
            ApplicationChange()
            | LoadObjectCode()
            | PointOfNoReturn()
            | Load()
            | Remove()
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

"""The data files that a transition changes in applications, and the paths that would still lead to old files.

A function that looks up a file when it needs the file finds the target's file. A path that was computed earlier still
leads to the old file. Such a path may be in a module that is not loaded again, or in the state of a process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

from node_runtime.behaviours.application_controller import AppSpec
from node_runtime.behaviours.show.raw_reads import dict_descriptor, raw_attributes, slots_of
from node_runtime.behaviours.show.time_budget import TimeBudget
from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, raw_states
from node_runtime.code import HotModule
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.messages import FileChange, PlannedFile
from node_runtime.releases.store.unpacked_release import UnpackedRelease

from .conditions import process_label
from .transition import Transition

MAX_PLANNED_FILES: Final = 100
MAX_NAMED_PATHS: Final = 10
MAX_DEPTH: Final = 4
MAX_VALUES: Final = 1000
"""At most this many values of a namespace or a state are searched for paths."""
MAX_SECONDS: Final = 1.0
"""Processor time for the whole search, in the copy of the node."""

_OWN_NAMES: Final = frozenset({"__file__", "__path__", "__spec__", "__loader__", "__cached__", "__builtins__"})
_MAKE_IT_FOLLOW: Final = (
    "get the path where it is used, for example from node_runtime.application.priv_dir, or let an instruction load the "
    "module again"
)


@dataclass(slots=True)
class _PathSearch:
    """A search for paths into folders of other releases than the target.

    `folders` maps an application to the beginning of the paths of its folders. `targets` maps it to its version in the
    target. `cut` has the titles of values that were too large.
    """

    folders: dict[str, str]
    targets: dict[str, str]
    budget: TimeBudget
    cut: list[str] = field(default_factory=list)
    is_late: bool = False

    def old_folder(self, path: str) -> tuple[str, str] | None:
        """Return the application and the version into whose folder a path leads; None for any other path."""
        for name, start in self.folders.items():
            vsn = path.removeprefix(start).partition("/")[0] if path.startswith(start) else ""
            if vsn and vsn != self.targets[name]:
                return name, vsn
        return None

    def has_time(self) -> bool:
        self.is_late = self.is_late or self.budget.is_spent()
        return not self.is_late

    def gaps(self) -> Iterator[str]:
        """Yield a sentence for each limit that the search has reached."""
        if self.cut:
            others = len(self.cut) - 1
            more = f" and {others} more place{'s' * (others != 1)}" if others else ""
            yield f"{self.cut[0]}{more}: only the first {MAX_VALUES:,} values were searched for paths of old files."
        if self.is_late:
            yield (
                f"The search for variables and states with paths of the old release's files ended after "
                f"{MAX_SECONDS:g} s of processor time, so the plan may not list all of them."
            )


def changed_files(transition: Transition) -> tuple[PlannedFile, ...]:
    """Return the data files that `transition` adds, changes or removes, at most `MAX_PLANNED_FILES`."""
    return tuple(_all_changed(transition)[:MAX_PLANNED_FILES])


def unlisted_files(transition: Transition) -> list[str]:
    """Return a sentence with the number of data files that `changed_files` leaves out, if there are any."""
    changed = len(_all_changed(transition))
    if changed <= MAX_PLANNED_FILES:
        return []
    return [f"{changed:,} data files of the applications change; only {MAX_PLANNED_FILES} of them are listed."]


def _all_changed(transition: Transition) -> list[PlannedFile]:
    before, after = ({app.name: app for app in side.manifest.apps} for side in (transition.left, transition.target))
    changes = []
    for name in sorted(before.keys() & after.keys()):
        old, new = _data_files(transition.left, name), _data_files(transition.target, name)
        for path in sorted(old.keys() | new.keys()):
            change: FileChange = "added" if path not in old else "removed" if path not in new else "changed"
            if old.get(path) != new.get(path):
                changes.append(PlannedFile(application=name, path=path, change=change))
    return changes


def left_behind_paths(transition: Transition) -> Iterator[str]:
    """Yield a sentence for each global variable or state that contains a path into an older folder of an application.

    Only applications whose data files `transition` changes are considered. The folder may belong to any release except
    the target. The search reads whole namespaces and states, so it runs in a copy of the node. If it reaches a limit,
    the last sentences name the limit.
    """
    changed = {file.application for file in _all_changed(transition)}
    folders = {name: f"{transition.left.root}/lib/{name}-" for name in changed}
    targets = {name: transition.target.apps[name].vsn for name in changed}
    search = _PathSearch(folders, targets, TimeBudget(MAX_SECONDS))
    found = (
        f"{holder} is a path of {folder}, so it will still refer to the old files when release "
        f"{transition.target.vsn} is current; {_MAKE_IT_FOLLOW}."
        for holder, folder in _holders(transition, search)
    )
    for number, sentence in enumerate(found):
        if number == MAX_NAMED_PATHS:
            yield f"Further values are paths of old files; the plan names only the first {MAX_NAMED_PATHS} values."
            return
        yield sentence
    yield from search.gaps()


def _data_files(release: UnpackedRelease, name: str) -> dict[str, str]:
    """Return, by path, the hashes of an application's files that neither Python nor the node itself reads."""
    entry = next(app for app in release.manifest.apps if app.name == name)
    prefix = f"{entry.directory}/"
    modules = {module.path for module in entry.modules.values()}
    return {
        path.removeprefix(prefix): file.sha256
        for path, file in release.manifest.files.items()
        if path.startswith(prefix) and path not in modules and path.count("/") > 2  # without app.toml and appup.toml
    }


def _holders(transition: Transition, search: _PathSearch) -> Iterator[tuple[str, str]]:
    """Yield (place, application) for each global or state with a path into an old folder.

    A place is, for example, "shop.site.BASE".
    """
    if not search.folders:
        return
    gone = {*transition.loaded, *transition.removed}
    for module, source in transition.left.sources.items():
        namespace = _namespace(module)
        if source.app in search.folders and module not in gone and namespace is not None:
            own = {name: value for name, value in list(namespace.items()) if name not in _OWN_NAMES}
            for where, folder in _paths_in(module, own, search):
                yield f"{module}{where}", folder
    for process in list(runtime().processes.values()):
        if isinstance(process, BehaviourProcess) and process.kind != "application" and search.has_time():
            label = process_label(process)
            for where, folder in _paths_in(f"The state of {label}", raw_states([process])[0], search):
                yield f"In {label}, state{where}", folder


def _namespace(module: str) -> dict[str, Any] | None:
    found = sys.modules.get(module)
    return found.__dict__ if isinstance(found, HotModule) else None


def _paths_in(title: str, value: object, search: _PathSearch) -> Iterator[tuple[str, str]]:
    """Yield (place, folder) for each path in `value` into an old folder; a place is a step such as `.base`.

    If `value` is too large to be searched completely, its `title` is added to `search.cut`.
    """
    left, waiting, seen = MAX_VALUES, [("", value, 0)], set[int]()
    while waiting and search.has_time():
        if not left:
            search.cut.append(title)
            return
        where, one, depth = waiting.pop()
        left -= 1
        text = _path_text(one)
        if text is not None:
            folder = search.old_folder(text)
            if folder is not None:
                yield clip(where, MAX_SHOWN_NAME), " ".join(folder)
        elif depth < MAX_DEPTH and id(one) not in seen:
            seen.add(id(one))
            waiting += [(f"{where}{step}", part, depth + 1) for step, part in _parts(one)]


def _path_text(value: object) -> str | None:
    """Return the text of a path or a string; None for any other value."""
    kind = type(value)
    if kind is str:
        return str(value)
    if issubclass(kind, PurePath) and kind.__module__.startswith("pathlib"):
        return str(value)
    return None


def _parts(value: object) -> list[tuple[str, object]]:
    """Return the parts of a container or an instance, without running code of its class."""
    kind = type(value)
    if kind is dict:
        items = list(value.items())[:MAX_VALUES]  # type: ignore[attr-defined]  # it is a dict
        return [(f".{key}" if type(key) is str and key.isidentifier() else "[…]", part) for key, part in items]
    if kind in (list, tuple, set, frozenset):
        return [("[…]", part) for part in list(value)[:MAX_VALUES]]  # type: ignore[call-overload]  # it is iterable
    if issubclass(kind, type) or kind in (HotModule, AppSpec) or kind.__module__ in ("builtins", "types"):
        return []  # the node replaces an application's AppSpec at the switch
    descriptor = dict_descriptor(kind)
    attributes = {} if descriptor is None else dict(raw_attributes(descriptor, value))
    parts = [(f".{name}", part) for name, part in list(attributes.items())[:MAX_VALUES]]
    for name, get in slots_of(kind):
        try:
            parts.append((f".{name}", get(value)))
        except AttributeError:
            continue
    return parts

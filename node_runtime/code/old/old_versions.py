"""Old versions: their runners and holders, and how the versions are dropped."""

from __future__ import annotations

import gc
from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from node_runtime.code.errors import OldVersionHeld
from node_runtime.code.garbage import collect_all
from node_runtime.code.version import Version
from node_runtime.protocol.messages import OldCode, OldCodeHolder

from .caches import clear_caches
from .found_holder import FoundHolder, found_holder
from .hidden_references import running_code
from .holder_names import task_name
from .holder_search import HolderSearch, Suspects
from .holders import HeldFindings, find_holders
from .reachability import held_namespaces
from .running import Runners, find_runners
from .thread_variables import thread_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from node_runtime.code.module import Namespace
    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule

    from .running import ProcessAdapter


MIN_DROPPED: Final = 20
"""If more dropped namespaces than this number, and than the number of modules, are in memory, garbage is collected."""


class OldVersions:
    """The old versions in the table of the code server.

    A process or thread runs a version if one of its frames executes the version's code. An object holds a version if it
    refers, directly or indirectly, to the version's namespace. Examples are a frame, a suspended generator, a timer, a
    function in a list, and an instance of one of the version's classes.
    """

    def __init__(self, table: ModuleTable, processes: ProcessAdapter) -> None:
        self._table = table
        self._processes = processes

    def of(self, managed: ManagedModule) -> Version | None:
        """Return the old version of a module; None if it has none.

        If the old version was purged and its last frame has ended, this call drops the version and returns None.
        """
        old = managed.old
        if old is not None and old.purged and not self._runners([old])[id(old.namespace)]:
            managed.old = old = None
        return old

    def running(self, modules: Iterable[str]) -> dict[str, Runners]:
        """Return the runners of the old versions of `modules`, by module, except modules without an old version."""
        versions = self._versions(modules)
        if not versions:
            return {}
        found = self._runners(versions.values())
        return {module: found[id(version.namespace)] for module, version in versions.items()}

    def held(self, modules: Iterable[str]) -> list[str]:
        """Return the modules whose old version is held by something outside of that version.

        A purged version counts as held as long as a frame runs it. References from garbage of dropped versions don't
        count. References from another old version count only if that version is held, too.
        """
        versions = self._versions(modules)
        wanted = [version for version in versions.values() if not version.purged]
        held = held_namespaces(wanted, lambda: self._counted_references(wanted)) if wanted else set()
        if held:
            everything, dropped = self._not_current(), self._table.dropped_namespaces()
            held &= held_namespaces(everything, lambda: self._counted_references(everything, dropped), dropped)
        return [module for module, version in versions.items() if version.purged or id(version.namespace) in held]

    def check_free(self, modules: Iterable[str], *, collect: bool) -> float:
        """Raise OldVersionHeld, with the holders, for the first of the modules whose old version is in use.

        A forked copy of the node searches for the holders. Garbage and caches of libraries are not holders; if
        `collect` is true, these caches are cleared and all garbage is collected. Return how many seconds a garbage
        collection took in the copy, or 0.0 if nothing refers to the old versions. Blocks the calling thread.
        """
        held = self.held(modules)
        if not held:
            return 0.0
        running = self.running(held)
        findings = self.find_holders(held)
        kept = [module for module in held if findings.holders[module]]
        if kept:
            first = next((module for module in kept if running.get(module)), kept[0])
            found = running.get(first, Runners())
            old = self._versions([first]).get(first)
            vsn = "" if old is None else old.app_vsn
            raise OldVersionHeld(first, found.pids, found.threads, findings.holders[first], vsn)
        if collect:
            clear_caches(findings.caches)
            collect_all()
        return findings.collection

    def find_holders(self, modules: Iterable[str]) -> HeldFindings:
        """Return the runners and holders of the old versions of `modules`. Blocks the calling thread."""
        modules = list(self._versions(modules))
        running, titles = self.running(modules), self._processes.titles()
        threads = thread_variables([self._processes.loop_activity().thread])
        code = running_code()
        findings = find_holders(modules, lambda: self._suspects(modules, self._processes.titles(), code), threads)
        for module, found in running.items():
            findings.holders[module] = _merged(self._named(module, found, titles), findings.holders.get(module, ()))
        return findings

    def current_runners(self, modules: Iterable[str]) -> dict[str, list[FoundHolder]]:
        """Return, by module, the tasks and threads that run its current version, except those of processes."""
        known = {module: self._table.modules[module].current for module in modules if module in self._table.modules}
        current = {module: version for module, version in known.items() if version is not None}
        found = self._runners(current.values())
        return {
            module: list(self._found(module, found[id(version.namespace)], {})) for module, version in current.items()
        }

    def find_holders_here(
        self, modules: Iterable[str], seconds: float, running: frozenset[int]
    ) -> dict[str, list[FoundHolder]]:
        """Search for about `seconds` of processor time; return the holders of the old versions of `modules`.

        `running` is what `running_code` returned before the fork. Call this only in a copy of the node that is not used
        for anything else.
        """
        held, titles = self.held(modules), self._processes.titles()
        if not held:
            return {}
        enabled = gc.isenabled()
        try:
            return HolderSearch(held, self._suspects(held, titles, running)).holders(seconds, ended=False)
        finally:
            gc.freeze()  # as after the fork: later collections don't visit the node's objects
            if enabled:
                gc.enable()

    def drop_free(self, modules: Iterable[str]) -> list[str]:
        """Drop the old versions that nothing holds; return the modules whose old version is held."""
        versions = self._versions(modules)
        held = self.held(versions)
        for module in versions.keys() - set(held):
            self._drop(module, versions[module])
        return held

    def collect_dropped(self) -> None:
        """Collect all garbage if the namespaces of many dropped versions are still in memory.

        A dropped version is a cycle of references, and old enough to be in the oldest generation. Python collects this
        generation only after many other objects have been made. So an idle node would never free the version.
        """
        if len(self._table.dropped_namespaces()) > max(MIN_DROPPED, len(self._table.modules)):
            collect_all()

    def purge(self, module: str) -> list[int]:
        """Kill the processes that run the old version, and drop the version; return the killed pids.

        A frame that still runs keeps the version until the frame ends.
        """
        version = self._versions([module]).get(module)
        if version is None:
            return []
        killed = [pid for pid in self._runners([version])[id(version.namespace)].pids if self._processes.kill(pid)]
        self.drop(module)
        return killed

    def drop(self, module: str) -> bool:
        """Drop the old version and return True. If frames run it, return False; it is dropped when the frames end."""
        version = self._versions([module]).get(module)
        if version is None:
            return True
        version.purged = bool(self._runners([version])[id(version.namespace)])
        if not version.purged:
            self._drop(module, version)
        return not version.purged

    def namespace(self, module: str) -> Namespace | None:
        """Return the namespace of the module's old version; None if it has no old version."""
        version = self._versions([module]).get(module)
        return None if version is None else version.namespace

    def mark(self, module: str) -> tuple[int, float] | None:
        """Return a value that identifies the module's old version; None if the module has none.

        The value doesn't keep the version in memory. It has the version's `id` and its time of loading: a later version
        may have the same `id`, but not the same time.
        """
        version = self._versions([module]).get(module)
        return None if version is None else (id(version), version.loaded)

    def holders(self, module: str) -> list[OldCodeHolder]:
        """Return the runners and holders of the old version. Blocks the calling thread."""
        return self.find_holders([module]).holders.get(module, [])

    def process_pids(self) -> set[int]:
        """Return the pids of all processes and zombies."""
        return set(self._processes.titles())

    def old_code(self) -> list[OldCode]:
        """Return all old versions, each with its runners and holders. Blocks the calling thread."""
        versions = self._versions(list(self._table.modules))
        if not versions:
            return []
        findings = self.find_holders(versions)
        return [
            OldCode(
                module=module,
                vsn=version.vsn,
                holders=tuple(findings.holders.get(module, ())),
                collection=None if findings.holders.get(module) else findings.collection,
            )
            for module, version in sorted(versions.items())
        ]

    # ------------------------------------------------------------ inside

    def _versions(self, modules: Iterable[str]) -> dict[str, Version]:
        managed_modules = ((module, self._table.modules.get(module)) for module in modules)
        found = {module: self.of(managed) for module, managed in managed_modules if managed is not None}
        return {module: version for module, version in found.items() if version is not None}

    def _not_current(self) -> list[Version]:
        """Return all versions that aren't current: old versions, and versions that batches keep for a revert."""
        managed_modules = list(self._table.modules.values())
        kept = {id(managed.old): managed.old for managed in managed_modules if managed.old is not None}
        for batch in self._table.living_batches():
            kept.update((id(thing), thing) for thing in batch.references() if isinstance(thing, Version))
        for managed in managed_modules:
            kept.pop(id(managed.current), None)
        return list(kept.values())

    def _runners(self, versions: Iterable[Version]) -> dict[int, Runners]:
        return find_runners(self._processes, [version.namespace for version in versions])

    def _suspects(
        self, modules: Sequence[str], titles: Mapping[int, tuple[str, int, int]], running: frozenset[int]
    ) -> Suspects:
        everything, dropped = self._not_current(), self._table.dropped_namespaces()
        return Suspects(
            modules=modules,
            versions=everything,
            others=dropped,
            ignored=self._counted_references(everything, dropped),
            owners={key: (title, int(pid)) for pid, (title, *keys) in titles.items() for key in keys},
            idle=frozenset(map(id, self._processes.idle_instances())),
            starter=self._processes.starter,
            still_held=lambda: self.held(modules),
            running=running,
        )

    def _named(
        self, module: str, found: Runners, titles: Mapping[int, tuple[str, int, int]]
    ) -> Iterator[OldCodeHolder]:
        return (one.holder for one in self._found(module, found, titles))

    def _found(self, module: str, found: Runners, titles: Mapping[int, tuple[str, int, int]]) -> Iterator[FoundHolder]:
        does = f"runs {module}"
        for pid in found.pids:
            if pid in titles:
                yield FoundHolder(OldCodeHolder(kind="process", name=titles[pid][0], does=does, pid=int(pid)))
        for name in found.threads:
            yield FoundHolder(OldCodeHolder(kind="thread", name=f"thread {name}", does=does))
        for task in found.tasks:
            starter, name = self._processes.starter(task), task.get_name()
            holder = OldCodeHolder(kind="task", name=task_name(task), does=does, pid=starter, task=name)
            yield found_holder(holder, task)

    def _counted_references(self, versions: Iterable[Version], dropped: Sequence[Namespace] = ()) -> Counter[int]:
        """Count the references that don't hold a version, by the `id` of their object.

        They are the references of batches, of the list `dropped`, and of idle processes. An idle process replaces its
        references at the next callback.
        """
        counted = Counter(id(thing) for batch in self._table.living_batches() for thing in batch.references())
        counted.update(map(id, dropped))
        namespaces = {id(version.namespace) for version in versions} | {id(namespace) for namespace in dropped}
        counted.update(id(thing) for thing in self._processes.idle_references(namespaces))
        return counted

    def _drop(self, module: str, version: Version) -> None:
        managed = self._table.modules[module]
        if managed.old is version:
            managed.old = None


def _merged(runners: Iterable[OldCodeHolder], found: Iterable[OldCodeHolder]) -> list[OldCodeHolder]:
    """Merge `found`, the holders from the search, into `runners`, each holder once.

    If both have a text for the same holder, the text from the search is kept.
    """
    merged = {runner.name: runner for runner in runners}
    for holder in found:
        known = merged.setdefault(holder.name, holder)
        if holder.does.startswith("runs "):
            merged[holder.name] = replace(known, does=holder.does, pid=holder.pid if known.pid is None else known.pid)
    return list(merged.values())

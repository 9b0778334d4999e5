"""Old versions: what runs them, what holds them, and how they are dropped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from node_runtime.code.errors import OldVersionHeld
from node_runtime.code.garbage import collect_all
from node_runtime.code.version import Version

from .holders import find_holders
from .reachability import held_namespaces
from .running import Runners, find_runners

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import ManagedModule

    from .running import ProcessAdapter


MIN_DROPPED: Final = 20
"""So many namespaces of dropped versions may wait for a collection; in a node with more modules, one for each."""


class OldVersions:
    """The old versions in the table of the code server.

    A process or thread runs a version if one of its frames executes the version's code. A version is held by anything
    that reaches its namespace: a frame, but also a suspended generator, a timer, a function in a list, or an instance
    of one of its classes.
    """

    def __init__(self, table: ModuleTable, processes: ProcessAdapter) -> None:
        self._table = table
        self._processes = processes

    def of(self, managed: ManagedModule) -> Version | None:
        """Return the old version of a module. A purged version is dropped if its last frame has ended."""
        old = managed.old
        if old is not None and old.purged and not self._runners([old])[id(old.namespace)]:
            managed.old = old = None
        return old

    def running(self, modules: Iterable[str]) -> dict[str, Runners]:
        """Return the runners of the old versions of these modules; a module without an old version is omitted."""
        versions = self._versions(modules)
        found = self._runners(versions.values())
        return {module: found[id(version.namespace)] for module, version in versions.items()}

    def held(self, modules: Iterable[str]) -> list[str]:
        """Return the modules whose old version is held by something outside it. Only frames hold a purged version.

        References from other old versions that are not held, and from garbage of dropped versions, don't count.
        """
        versions = self._versions(modules)
        wanted = [version for version in versions.values() if not version.purged]
        held = held_namespaces(wanted, self._counted_references(wanted)) if wanted else set()
        if held:
            everything, dropped = self._not_current(), self._table.dropped_namespaces()
            ignored = self._counted_references(everything) + Counter(map(id, dropped))
            held &= held_namespaces(everything, ignored, dropped)
        return [module for module, version in versions.items() if version.purged or id(version.namespace) in held]

    def check_free(self, modules: Iterable[str]) -> None:
        """Raise OldVersionHeld for the first of the modules whose old version is held.

        Before a version that nothing runs counts as held, all garbage is collected: its cycles may be what holds it.
        """
        held = self.held(modules)
        running = self.running(held)
        if held and not any(running.values()):
            collect_all()
            held = self.held(held)
        if held:
            first = next((module for module in held if running.get(module)), held[0])
            found = running.get(first, Runners())
            raise OldVersionHeld(first, found.pids, found.threads)

    def drop_free(self, modules: Iterable[str]) -> list[str]:
        """Drop the old versions that nothing holds; return the modules whose old version is held."""
        versions = self._versions(modules)
        held = self.held(versions)
        for module in versions.keys() - set(held):
            self._drop(module, versions[module])
        return held

    def collect_dropped(self) -> None:
        """Collect all garbage if it has the namespaces of many dropped versions.

        A dropped version is a cycle of references. It has survived long enough to be in the oldest generation, which
        Python collects only when many other objects have been made: an idle node would never free it.
        """
        if len(self._table.dropped_namespaces()) > max(MIN_DROPPED, len(self._table.modules)):
            collect_all()

    def purge(self, module: str) -> list[int]:
        """Kill the processes that run the old version, and drop it; return the killed pids.

        A frame that still runs keeps the version until the frame ends.
        """
        version = self._versions([module]).get(module)
        if version is None:
            return []
        killed = [pid for pid in self._runners([version])[id(version.namespace)].pids if self._processes.kill(pid)]
        if self._runners([version])[id(version.namespace)]:
            version.purged = True
        else:
            self._drop(module, version)
        return killed

    async def holders(self, module: str) -> list[str]:
        """Return what runs and what holds the old version, in clauses for the operator. Does not block the loop."""
        version = self._versions([module]).get(module)
        if version is None:
            return []
        found, titles = self._runners([version])[id(version.namespace)], self._processes.titles()
        running = [titles[pid][0] for pid in found.pids if pid in titles] + [f"thread {name}" for name in found.threads]
        owners = {key: title for title, *keys in titles.values() for key in keys}
        pairs = await find_holders(version, self._counted_references([version]), owners)
        return [
            *(f"{runner} runs {module}" for runner in running),
            *(f"{owner} holds {what}" for owner, what in pairs if owner not in running),
        ]

    # ------------------------------------------------------------ inside

    def _versions(self, modules: Iterable[str]) -> dict[str, Version]:
        managed_modules = ((module, self._table.modules.get(module)) for module in modules)
        found = {module: self.of(managed) for module, managed in managed_modules if managed is not None}
        return {module: version for module, version in found.items() if version is not None}

    def _not_current(self) -> list[Version]:
        """Return all versions that aren't current: the old ones, and those that batches keep for a revert."""
        managed_modules = list(self._table.modules.values())
        kept = {id(managed.old): managed.old for managed in managed_modules if managed.old is not None}
        for batch in self._table.living_batches():
            kept.update((id(thing), thing) for thing in batch.references() if isinstance(thing, Version))
        for managed in managed_modules:
            kept.pop(id(managed.current), None)
        return list(kept.values())

    def _runners(self, versions: Iterable[Version]) -> dict[int, Runners]:
        return find_runners(self._processes, [version.namespace for version in versions])

    def _counted_references(self, versions: Iterable[Version]) -> Counter[int]:
        """Return how many references to an object don't hold a version, by the object's identity.

        These are the references of batches, which keep versions for a revert, and of idle
        processes, which replace them at their next callback.
        """
        counted = Counter(id(thing) for batch in self._table.living_batches() for thing in batch.references())
        namespaces = {id(version.namespace) for version in versions}
        counted.update(id(thing) for thing in self._processes.idle_references(namespaces))
        return counted

    def _drop(self, module: str, version: Version) -> None:
        managed = self._table.modules[module]
        if managed.old is version:
            managed.old = None

"""Old versions: who runs them, whether anything holds them, and how they go."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from node_runtime.code.errors import OldVersionHeld
from node_runtime.code.version import Version

from .holders import find_holders
from .reachability import held_namespaces
from .running import Runners, runners

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node_runtime.code.module_table import ModuleTable
    from node_runtime.code.version import Hot

    from .running import Processes


class OldVersions:
    """What `CodeServer` knows of the old versions in its table.

    A version is run by who has a frame in it, and held by anything that reaches its namespace: who runs it, but also a
    suspended generator, a timer, a function in somebody's list, an instance of one of its classes.
    """

    def __init__(self, table: ModuleTable, processes: Processes) -> None:
        self._table = table
        self._processes = processes

    def of(self, hot: Hot) -> Version | None:
        """The old version. One that was purged is gone as soon as the last frame in it is."""
        old = hot.old
        if old is not None and old.purged and not self._runners([old])[id(old.namespace)]:
            hot.old = old = None
        return old

    def running(self, modules: Iterable[str]) -> dict[str, Runners]:
        """Who runs the old versions of these modules; a module without one is left out."""
        versions = self._versions(modules)
        found = self._runners(versions.values())
        return {module: found[id(version.namespace)] for module, version in versions.items()}

    def held(self, modules: Iterable[str]) -> list[str]:
        """Those of the modules whose old version something outside of it reaches. A purged one is held by frames only.

        Old versions that hold only each other are not held, nor are they held by a dropped one that is garbage.
        """
        versions = self._versions(modules)
        wanted = [version for version in versions.values() if not version.purged]
        held = held_namespaces(wanted, self._records(wanted)) if wanted else set()
        if held:
            everything, dropped = self._all(), self._table.dropped()
            ignored = self._records(everything) + Counter(map(id, dropped))
            held &= held_namespaces(everything, ignored, dropped)
        return [module for module, version in versions.items() if version.purged or id(version.namespace) in held]

    def check_free(self, modules: Iterable[str]) -> None:
        """Raise OldVersionHeld for the first of the modules whose old version is held."""
        held = self.held(modules)
        if held:
            who = self.running(held[:1]).get(held[0], Runners())
            raise OldVersionHeld(held[0], who.pids, who.threads)

    def drop_free(self, modules: Iterable[str]) -> list[str]:
        """Drop the old versions that nothing holds; returns the modules whose old version is held."""
        versions = self._versions(modules)
        held = self.held(versions)
        for module in versions.keys() - set(held):
            self._drop(module, versions[module])
        return held

    def purge(self, module: str) -> list[int]:
        """Kill the processes that run the old version and drop it; frames that go on keep it until they end."""
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
        """Who runs and what holds the old version, as clauses for people. The event loop goes on meanwhile."""
        version = self._versions([module]).get(module)
        if version is None:
            return []
        who, titles = self._runners([version])[id(version.namespace)], self._processes.titles()
        running = [titles[pid][0] for pid in who.pids if pid in titles] + [f"thread {name}" for name in who.threads]
        owners = {key: title for title, *keys in titles.values() for key in keys}
        pairs = await find_holders(version, self._records([version]), owners)
        return [
            *(f"{runner} runs {module}" for runner in running),
            *(f"{owner} holds {what}" for owner, what in pairs if owner not in running),
        ]

    # ------------------------------------------------------------ inside

    def _versions(self, modules: Iterable[str]) -> dict[str, Version]:
        hots = ((module, self._table.modules.get(module)) for module in modules)
        found = {module: self.of(hot) for module, hot in hots if hot is not None}
        return {module: version for module, version in found.items() if version is not None}

    def _all(self) -> list[Version]:
        """All versions that aren't current: the old ones, and what batches keep for a revert."""
        hots = list(self._table.modules.values())
        kept = {id(hot.old): hot.old for hot in hots if hot.old is not None}
        for batch in self._table.living_batches():
            kept.update((id(thing), thing) for thing in batch.references() if isinstance(thing, Version))
        for hot in hots:
            kept.pop(id(hot.current), None)
        return list(kept.values())

    def _runners(self, versions: Iterable[Version]) -> dict[int, Runners]:
        return runners(self._processes, [version.namespace for version in versions])

    def _records(self, versions: Iterable[Version]) -> Counter[int]:
        """References that hold nothing: what batches need for a revert, and what idle processes will let go of."""
        counted = Counter(id(thing) for batch in self._table.living_batches() for thing in batch.references())
        namespaces = {id(version.namespace) for version in versions}
        counted.update(id(thing) for thing in self._processes.references(namespaces))
        return counted

    def _drop(self, module: str, version: Version) -> None:
        hot = self._table.modules[module]
        if hot.old is version:
            hot.old = None

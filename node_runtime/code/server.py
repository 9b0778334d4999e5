"""The code server: which modules are managed, their versions, and who still runs an old one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from node_runtime.protocol.messages import ModuleInfo

from .batch import Batch
from .drift import Drift, Status, find_drift, status
from .errors import CodeError, LoadFailed
from .loading import load_hazards
from .loading.execution_order import in_order
from .loading.finder import Finder
from .loading.staging import Stage
from .module_table import ModuleTable, with_parents
from .old.old_versions import OldVersions
from .old.process_adapter import LiveProcesses
from .old.reachability import collect_young
from .version import Hot, Source, Unit, Version, compile_unit

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from .old.running import Processes

_installed: CodeServer | None = None


def current() -> CodeServer:
    """The server that is installed. Raises RuntimeError if there is none."""
    if _installed is None:
        raise RuntimeError("no code server is installed: CodeServer().install()")
    return _installed


class CodeServer:
    """Loads the applications' modules, at most two versions of each. Follows code(3) of OTP's kernel."""

    def __init__(self, processes: Processes | None = None) -> None:
        self._table = ModuleTable()
        self._finder = Finder(self._table)
        self._old = OldVersions(self._table, LiveProcesses() if processes is None else processes)

    @property
    def modules(self) -> dict[str, Hot]:
        """Each module that was ever wanted; it is loaded if it has a `current` version."""
        return self._table.modules

    # ------------------------------------------------------------ installing

    def add_application(self, name: str, vsn: str, modules: Mapping[str, str | os.PathLike[str]]) -> None:
        """Say where the first import of each module of an application finds it. Replaces what was said before.

        Loaded modules stay what they are. A parent that is not listed becomes a package without a body.
        """
        self._table.put_application(name, vsn, modules)

    def install(self) -> None:
        """Take part in imports, before everybody else, and be `current()`. Raises CodeError if another server does."""
        global _installed  # noqa: PLW0603  # sys.meta_path is one, too
        if _installed is not None:
            raise CodeError("Another code server is installed: uninstall it first.")
        sys.meta_path.insert(0, self._finder)
        _installed = self

    def uninstall(self) -> None:
        """Take the finder and the managed modules out of the import system again."""
        global _installed  # noqa: PLW0603
        if _installed is not self:
            return
        sys.meta_path.remove(self._finder)
        for hot in list(self._table.modules.values()):
            if sys.modules.get(hot.name) is hot.module:
                del sys.modules[hot.name]
        _installed = None

    # ------------------------------------------------------------ loading

    def prepare(self, sources: Iterable[Source], deleted: Iterable[str] = ()) -> Batch:
        """Compile and execute new versions, visible to nobody else.

        A source that equals the old version, while that is still loaded, is not executed: the old version is
        taken back. Any other old version must be free: nothing holds it, else OldVersionHeld, which names who runs it.
        Raises LoadFailed, naming module, file and line, if a source can't be read or compiled or its body raises, and
        CodeError if another batch is committed or reverted meanwhile: what a body has seen would be of two times.
        """
        asked = with_parents(sources, self._table.sources)
        for source in asked:
            reason = load_hazards.refusal(source)
            if reason is not None:
                raise CodeError(reason)
        gone = [self._table.hot(name) for name in deleted]
        units = [self._compile(source) for source in asked]
        kept = {unit.source.module: self._equal_old(unit) for unit in units}
        self._old.check_free([*(hot.name for hot in gone), *(name for name, old in kept.items() if old is None)])
        with Stage(self._table, [hot.name for hot in gone]) as stage:
            as_of = self._table.changes
            for unit in units:
                hot = self._table.hot(unit.source.module)
                old = kept[hot.name]
                if old is None:
                    stage.add(unit)
                else:
                    stage.take_back(hot, old)
            for each in in_order(stage.staged.values()):
                try:
                    stage.run(each)
                except BaseException as error:  # whatever it is, a module's body has raised it
                    raise stage.explain(error, each.unit.source) from error
            staged = list(stage.staged.values())
        if self._table.changes != as_of:
            raise CodeError("Other modules were loaded while these were prepared: prepare them again.")
        versions = [(each.hot, each.version) for each in staged if each.version is not None]
        handed = {each.hot.name: each.handed for each in staged if each.handed}
        batch = Batch(self._table, versions, gone, handed, load_hazards.find(self._table, staged, gone))
        collect_young()  # now, and not in the middle of the commit
        return batch

    def _equal_old(self, unit: Unit) -> Version | None:
        old = self._table.hot(unit.source.module).old
        return old if old is not None and old.sha256 == unit.sha256 else None

    def _compile(self, source: Source) -> Unit:
        hot = self._table.hot(source.module)
        loaded = tuple(version for version in (hot.current, hot.old) if version is not None)
        try:
            return compile_unit(source, source.read(), loaded)
        except (OSError, SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 0
            raise LoadFailed(source.module, source.path, line, error) from error

    # ------------------------------------------------------------ old versions

    def running_old(self, module: str) -> list[int]:
        """The processes that run the old version: a callback right now, or a frame suspended at an `await`."""
        who = self._old.running([module]).get(module)
        return [] if who is None else who.pids

    def check_process_code(self, pid: int, module: str) -> bool:
        """Whether a process runs the old version. Follows erlang:check_process_code/2."""
        return pid in self.running_old(module)

    def held_old(self, module: str) -> bool:
        """Whether anything outside of the old version still reaches it: who runs it, but also a function in a list."""
        return bool(self._old.held([module]))

    async def holders(self, module: str) -> list[str]:
        """Who runs and what holds the old version, each a clause for people. A forked child looks through the heap."""
        return await self._old.holders(module)

    def soft_purge(self, module: str) -> bool:
        """Drop the old version unless it is held; False if it is. Follows code:soft_purge/1."""
        return not self._old.drop_free([module])

    def sweep(self) -> list[str]:
        """Drop every old version that isn't held, and return the modules whose old version is. May run in a thread."""
        return self._old.drop_free(list(self._table.modules))

    def purge(self, module: str) -> list[int]:
        """Kill the processes that run the old version, and drop it; returns whom it killed. Follows code:purge/1.

        A frame that doesn't end at once, of a killed process or of a thread, keeps the version until it does. Functions
        that somebody has kept go on working: a fun of purged code fails in OTP, but there is no such thing in Python.
        """
        return self._old.purge(module)

    def delete(self, module: str) -> bool:
        """Make the current version old and leave none current; False if there is none. Follows code:delete/1.

        Raises OldVersionHeld.
        """
        loaded = self.versions(module)[0] is not None
        if loaded:
            self.prepare([], deleted=[module]).commit()
        return loaded

    # ------------------------------------------------------------ for observers

    def versions(self, module: str) -> tuple[Version | None, Version | None]:
        """The current and the old version of a module; (None, None) if it isn't loaded."""
        hot = self._table.modules.get(module)
        return (None, None) if hot is None else (hot.current, self._old.of(hot))

    def module_status(self, module: str) -> Status:
        """Whether a module is loaded, and as its file has it. Reads the file. Follows code:module_status/1."""
        return status(self.versions(module)[0], self._table.sources.get(module))

    def modified(self, released: Mapping[str, str] | None = None) -> list[Drift]:
        """The loaded modules that run other code than their files have, or than a release's manifest says.

        `released` has the sha256 of each module of the release. Reads every file: call it in a thread.
        Follows code:modified_modules/0.
        """
        return find_drift(self._table, released or {})

    def facts(self) -> tuple[ModuleInfo, ...]:
        """Every loaded module, by name; `processes`, which this layer doesn't know, is 0."""
        running = self._old.running(list(self._table.modules))
        listed = []
        for hot in list(self._table.modules.values()):
            version, old = hot.current, hot.old
            if version is None:
                continue
            info = ModuleInfo(
                name=hot.name,
                application=version.app,
                app_vsn=version.app_vsn,
                vsn=version.vsn,
                sha256=version.sha256,
                path=version.path,
                loaded=version.loaded,
                old_vsn=None if old is None else old.vsn,
                old_app_vsn=None if old is None else old.app_vsn,
                old_path=None if old is None else old.path,
                old_pids=tuple(int(pid) for pid in running[hot.name].pids) if hot.name in running else (),
            )
            listed.append(info)
        return tuple(sorted(listed, key=lambda info: info.name))

"""The code server: loads, switches and purges versions of modules, and finds the users of old versions."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from node_runtime.protocol.messages import ModuleInfo, OldCode, OldCodeHolder, Purged, TaskInfo

from .batch import Batch
from .compiler import Compiler, compile_here
from .drift import Drift, ModuleStatus, find_drift, module_status
from .errors import CodeError, LoadFailed
from .garbage import collect_young
from .loading import load_hazards
from .loading.execution_order import in_execution_order
from .loading.finder import Finder
from .loading.module_files import SourceChange, used_paths
from .loading.search_path import SearchPath
from .loading.staging import AroundBody, Stage, without_context
from .module_table import ModuleTable, with_parents
from .old.ending import cancel_tasks, end_old_code, stray_tasks
from .old.found_holder import FoundHolder
from .old.holder_search import UNNAMED_HOLDER
from .old.old_versions import OldVersions
from .old.process_adapter import RuntimeProcessAdapter
from .old.running import Runners
from .registrations import registrations_hidden
from .version import CompilationUnit, ManagedModule, Source, SourceText, Version, compile_text, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .old.running import ProcessAdapter

_installed: CodeServer | None = None


def current() -> CodeServer:
    """Return the installed code server. Raises RuntimeError if there is none."""
    if _installed is None:
        raise RuntimeError("no code server is installed: call CodeServer().install()")
    return _installed


class CodeServer:
    """Loads the modules of applications: at most two versions of each module. Follows code(3) of OTP's kernel."""

    def __init__(self, processes: ProcessAdapter | None = None) -> None:
        self._table = ModuleTable()
        self._finder = Finder(self._table)
        self._search_path = SearchPath()
        self._processes = RuntimeProcessAdapter() if processes is None else processes
        self._old = OldVersions(self._table, self._processes)

    @property
    def modules(self) -> dict[str, ManagedModule]:
        """All modules that were ever requested, by name. A module is loaded if its entry has a `current` version."""
        return self._table.modules

    # ------------------------------------------------------------ installing

    def add_application(self, name: str, vsn: str, modules: Mapping[str, str | os.PathLike[str]]) -> None:
        """Set the source file of each module of an application. The first import of a module loads this file.

        `modules` replaces the mapping of an earlier call for this application. Modules that are loaded already don't
        change. A parent package that is not listed becomes a package without a body, like a folder without
        `__init__.py`.
        """
        self.add_sources(name, [Source(module, os.fspath(path), name, vsn) for module, path in modules.items()])

    def add_sources(self, application: str, sources: Sequence[Source]) -> None:
        """Set the sources of an application's modules, as `add_application` does."""
        self._table.put_application(application, sources)
        self._update_search_path()

    def change_sources(self, applications: Mapping[str, Sequence[Source]], *, for_imports: bool = True) -> SourceChange:
        """Set the sources of several applications, as `add_sources` does, and the paths of their loaded modules.

        If `for_imports` is false, only the paths of the loaded modules are set. The result can undo the change.
        """
        after = self._update_search_path if for_imports else None
        return SourceChange(self._table, applications, after)

    def _update_search_path(self) -> None:
        if _installed is self:
            self._search_path.set(self._table.sources.values())

    def install(self) -> None:
        """Put the finder first into `sys.meta_path`, and let `current()` return this server.

        Raises CodeError if a code server is installed already.
        """
        global _installed  # noqa: PLW0603  # sys.meta_path is global, too
        if _installed is not None:
            raise CodeError("A code server is installed already: uninstall it first.")
        sys.meta_path.insert(0, self._finder)
        self._search_path.set(self._table.sources.values())
        _installed = self

    def uninstall(self) -> None:
        """Remove the finder and the managed modules from the import system."""
        global _installed  # noqa: PLW0603
        if _installed is not self:
            return
        sys.meta_path.remove(self._finder)
        self._search_path.set(())
        for managed in list(self._table.modules.values()):
            if managed.current is not None or sys.modules.get(managed.name) is managed.module:
                sys.modules.pop(managed.name, None)  # the module may have replaced its entry
        _installed = None

    # ------------------------------------------------------------ loading

    def prepare(self, sources: Iterable[Source], deleted: Iterable[str] = ()) -> Batch:
        """Compile and execute new versions without making them visible.

        Raises the errors of `read`, `compile_all`, `check_free` and `execute`.
        """
        units, deleted = self.compile_all(self.read(sources)), list(deleted)
        self.check_free(units, deleted)
        return self.execute(units, deleted)

    def read(self, sources: Iterable[Source]) -> list[SourceText]:
        """Read and hash sources, including those of parent packages that are not loaded.

        May be called in a thread. Raises LoadFailed if a source can't be read, and CodeError if it can't be loaded into
        a running node.
        """
        self._old.collect_dropped()
        asked = with_parents(sources, self._table.sources)
        for source in asked:
            reason = load_hazards.load_refusal(source, self._table)
            if reason is not None:
                raise CodeError(reason)
        return [_read(source) for source in asked]

    def compile_all(self, texts: Iterable[SourceText], compiler: Compiler = compile_here) -> list[CompilationUnit]:
        """Compile sources. Raises LoadFailed, with module, file and line. May be called in a thread.

        While `compile_here` compiles a source, no other thread runs. `compile_apart` stops other threads only briefly.
        """
        return [self._compile(text, compiler) for text in texts]

    def check_free(
        self, texts: Iterable[SourceText | CompilationUnit], deleted: Iterable[str] = (), *, collect: bool = True
    ) -> float:
        """Raise OldVersionHeld, with the holders, if something holds the old version of a module to load or delete.

        Garbage and caches of libraries are not holders; if `collect` is true, these caches are cleared and all garbage
        is collected. Return how many seconds a garbage collection takes, or 0.0 if nothing refers to the old versions.
        No other Python code runs during a collection. May be called in a thread.
        """
        gone = [self._table.managed(name).name for name in deleted]
        texts = list(texts)
        taken_back = self._taken_back(texts)
        loaded = [text.source.module for text in texts if text.source.module not in taken_back]
        return self._old.check_free([*gone, *loaded], collect=collect)

    def execute(
        self, units: Sequence[CompilationUnit], deleted: Iterable[str] = (), around_body: AroundBody = without_context
    ) -> Batch:
        """Execute compiled sources without making them visible. Call this right after `check_free`.

        A source is not executed again if the old version of its module can become current again at the commit. There
        are two conditions: the old version has the same source, and the modules that its body has used have the same
        versions as when it was last current. Each body runs in the context that `around_body` returns for its module.

        Raises LoadFailed, with module, file and line, if a body raises. Raises CodeError if another load is committed
        or reverted while the bodies run, because the bodies may have seen modules both before and after that change.
        """
        gone = [self._table.managed(name) for name in deleted]
        with Stage(self._table, [managed.name for managed in gone], around_body) as stage:
            as_of = self._table.change_count
            taken_back = self._taken_back(units)
            for unit in units:
                managed = self._table.managed(unit.source.module)
                old = taken_back.get(unit.source.module)
                if old is None:
                    stage.add(unit)
                else:
                    stage.add_executed(managed, old)
            with registrations_hidden(stage.leaving_registrations(gone), stage.new_registrations):
                for each in in_execution_order(stage.staged.values()):
                    try:
                        stage.run(each)
                    except BaseException as error:  # any exception that a module's body has raised
                        raise stage.explain(error, each.unit.source) from error
            staged = list(stage.staged.values())
        if self._table.change_count != as_of:
            raise CodeError(
                "Another load was committed or reverted while these modules were prepared: prepare them again."
            )
        versions = [(each.managed, each.version) for each in staged if each.version is not None]
        carried = {each.managed.name: each.carried_values for each in staged if each.carried_values}
        findings = load_hazards.find_hazards(self._table, staged, gone)
        batch = Batch(self._table, versions, gone, carried, findings)
        collect_young()  # so that no collection is due during the commit
        return batch

    def _taken_back(self, texts: Iterable[SourceText | CompilationUnit]) -> dict[str, Version]:
        """Return the old versions that become current again, by module; `execute` says when.

        This load may give the used modules the versions that they had when the old version was last current.
        """
        loaded = {text.source.module: text.sha256 for text in texts}
        found = {module: self._table.managed(module).old for module in loaded}
        usable = {module: old for module, old in found.items() if old is not None and old.sha256 == loaded[module]}

        def is_outdated(version: Version) -> bool:
            then = {name: used() for name, used in version.made_with.items()}
            return any(
                used is None or used is not (usable.get(name) if name in loaded else self._table.managed(name).current)
                for name, used in then.items()
            )

        while outdated := [module for module, version in usable.items() if is_outdated(version)]:
            for module in outdated:
                del usable[module]
        return usable

    def _compile(self, text: SourceText, compiler: Compiler) -> CompilationUnit:
        managed = self._table.managed(text.source.module)
        loaded = tuple(version for version in (managed.current, managed.old) if version is not None)
        try:
            return compile_text(text, loaded, compiler)
        except (SyntaxError, ValueError) as error:
            raise _load_failed(text.source, error) from error

    # ------------------------------------------------------------ old versions

    def pids_running_old_code(self, module: str) -> list[int]:
        """Return the pids of the processes that run the old version, in a callback or suspended at an `await`."""
        found = self._old.running([module]).get(module)
        return [] if found is None else found.pids

    def check_process_code(self, pid: int, module: str) -> bool:
        """Return whether a process runs the old version. Follows erlang:check_process_code/2."""
        return pid in self.pids_running_old_code(module)

    def is_old_code_held(self, module: str) -> bool:
        """Return whether anything outside of the old version refers to it, such as a frame or a function in a list."""
        return bool(self._old.held([module]))

    def holders(self, module: str) -> tuple[OldCodeHolder, ...]:
        """Return the runners and holders of the old version. A forked child searches. May be called in a thread."""
        return tuple(self._old.holders(module))

    def old_code(self) -> list[OldCode]:
        """Return all old versions, each with its runners and holders. Takes long; may be called in a thread."""
        return self._old.old_code()

    def soft_purge(self, module: str) -> bool:
        """Drop the old version and return True; if something holds it, return False. Follows code:soft_purge/1."""
        return not self._old.drop_free([module])

    def sweep(self) -> list[str]:
        """Drop every old version that isn't held, and return the modules whose old version is held.

        May run in a thread.
        """
        return self._old.drop_free(list(self._table.modules))

    def purge(self, module: str) -> list[int]:
        """Kill the processes that run the old version, and drop the version; return the killed pids.

        If a frame of a killed process or of a thread doesn't end at once, the version stays until that frame ends. A
        function of the version still works if another object keeps it; in OTP, a fun of purged code fails. Follows
        code:purge/1.
        """
        return self._old.purge(module)

    def holders_here(
        self, modules: Iterable[str], seconds: float, running: frozenset[int]
    ) -> dict[str, list[FoundHolder]]:
        """Search for about `seconds`, and return the holders of the old versions of `modules`, by module.

        `running` is what `running_code` returned before the fork. Call this only in a copy of the node. Holders without
        a name are left out.
        """
        found = self._old.find_holders_here(modules, seconds, running)
        return {
            module: [one for one in holders if one.holder is not UNNAMED_HOLDER] for module, holders in found.items()
        }

    def runners(self, modules: Iterable[str]) -> dict[str, list[FoundHolder]]:
        """Return, by module, the tasks and threads that run its current version, except those of processes."""
        return self._old.current_runners(modules)

    async def end_old_code(self, module: str, check: Callable[[], None] = lambda: None) -> Purged | None:
        """End the holders of the old version, and drop the version. Return None if there is no old version.

        Unlike `purge`, this function also kills processes that only refer to the version, and cancels tasks and timers.
        It waits until the processes and tasks have ended, and reports the holders that are left. `check` is called
        again after each wait, and raises `Refused` while nothing may be purged.
        """
        return await end_old_code(self._old, self._processes, module, check)

    def stray_tasks(self) -> list[TaskInfo]:
        """Return the tasks of the event loop that no process owns or waits for."""
        return stray_tasks(self._processes)

    def cancel_tasks(self, name: str) -> list[str]:
        """Cancel the stray tasks with this name, and return their titles."""
        return cancel_tasks(self._processes, name)

    def delete(self, module: str) -> bool:
        """Make the current version the old one; return False if no version is current. Follows code:delete/1.

        Raises OldVersionHeld.
        """
        loaded = self.versions(module)[0] is not None
        if loaded:
            self.prepare([], deleted=[module]).commit()
        return loaded

    # ------------------------------------------------------------ for observers

    def versions(self, module: str) -> tuple[Version | None, Version | None]:
        """Return the current and the old version of a module; (None, None) if it isn't loaded."""
        managed = self._table.modules.get(module)
        return (None, None) if managed is None else (managed.current, self._old.of(managed))

    def used_paths(self) -> set[str]:
        """Return each present and earlier `__file__` of the current, old and dropped versions in memory."""
        return used_paths(self._table)

    def module_status(self, module: str) -> ModuleStatus:
        """Read a module's file and compare it with the loaded code. Follows code:module_status/1."""
        return module_status(self.versions(module)[0], self._table.sources.get(module))

    def modified(self, released: Mapping[str, str] | None = None) -> list[Drift]:
        """Return the loaded modules whose code differs from their files or from a release's manifest.

        `released` has the sha256 of each module of the release. Reads every file: call it in a thread.
        Follows code:modified_modules/0.
        """
        return find_drift(self._table, released or {})

    def loaded_modules(self) -> tuple[ModuleInfo, ...]:
        """Return a summary of each loaded module, sorted by name.

        In each summary `processes` is 0, because the code layer doesn't know which processes use the module.
        """
        running = self._old.running(list(self._table.modules))
        listed = []
        for managed in list(self._table.modules.values()):
            version, old = managed.current, managed.old
            if version is None:
                continue
            runners = running.get(managed.name, Runners())
            info = ModuleInfo(
                name=managed.name,
                application=version.app,
                app_vsn=_app_vsn(version, self._table.sources.get(managed.name)),
                vsn=version.vsn,
                sha256=version.sha256,
                path=version.path,
                loaded=version.loaded,
                old_vsn=None if old is None else old.vsn,
                old_app_vsn=None if old is None else old.app_vsn,
                old_path=None if old is None else old.path,
                old_pids=tuple(map(int, runners.pids)),
                old_tasks=len(runners.tasks) + len(runners.threads),
            )
            listed.append(info)
        return tuple(sorted(listed, key=lambda info: info.name))


def _app_vsn(version: Version, source: Source | None) -> str:
    """Return the version of the application that a loaded version belongs to.

    `source` is the module's source in the current release. An upgrade does not load an unchanged module again; for such
    a module, the result is the version of the application in `source`.
    """
    unchanged = source is not None and source.app == version.app and source.sha256 == version.sha256
    return source.app_vsn if source is not None and unchanged else version.app_vsn


def _read(source: Source) -> SourceText:
    try:
        return read_text(source)
    except (OSError, ValueError) as error:
        raise _load_failed(source, error) from error


def _load_failed(source: Source, error: Exception) -> LoadFailed:
    return LoadFailed(source.module, source.path, getattr(error, "lineno", None) or 0, error)

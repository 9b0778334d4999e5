"""The environment of a script: the applications' parameters, the files of later imports, and the OS process."""

from __future__ import annotations

from node_runtime.code import CodeServer, OsProcessSettings, SourceChange
from node_runtime.releases.operation_progress import OperationProgress
from node_runtime.releases.planning.app_env import ApplicationSnapshot, register_sources
from node_runtime.releases.planning.transition import Transition


class ScriptEnvironment:
    """What one run of a script changes beside processes and modules, and how these changes are undone."""

    def __init__(self, transition: Transition, code: CodeServer, progress: OperationProgress) -> None:
        self._transition = transition
        self._code = code
        self._progress = progress
        self._adopted: tuple[ApplicationSnapshot, OsProcessSettings] | None = None
        """The environments and settings from before the first instruction that may change something."""
        self._sources: SourceChange | None = None

    def adopt(self) -> None:
        """Give the applications the environments of the target, as OTP does before the first instruction."""
        if self._adopted is None:
            self._adopted = ApplicationSnapshot(), OsProcessSettings()
            self._adopted[0].adopt(self._transition.target, self._transition.configuration)

    def change_sources(self) -> None:
        """Make later imports find the target's files. The modules that stay loaded get the paths of these files."""
        if self._sources is None:
            self._sources = register_sources(self._code, self._transition.left, self._transition.target)

    async def notify(self) -> list[str]:
        """Call config_change of the applications; return a sentence for each one whose config_change failed."""
        return [] if self._adopted is None else await self._adopted[0].notify()

    def undo_sources(self) -> None:
        """Undo `change_sources`."""
        if self._sources is not None:
            self._sources.undo()

    def register_old_sources(self) -> None:
        """Let the modules of the old release have the files of that release again."""
        if self._adopted is not None:
            register_sources(self._code, self._transition.target, self._transition.left)

    def put_back_parameters(self) -> None:
        """Give the applications their old environments."""
        if self._adopted is not None:
            self._adopted[0].put_back()

    def put_back_settings(self, *, waited: bool) -> None:
        """Restore the settings of the OS process. If the script has waited, other code may have changed them on
        purpose: then they stay, and the operation gets a warning.
        """
        if self._adopted is None:
            return
        settings = self._adopted[1]
        if not waited:
            settings.put_back()
        elif changes := settings.changes():
            changed = ", ".join(change.name() for change in changes)
            self._progress.warn(
                [f"The failed install did not restore {changed}: other code ran while the script waited."]
            )

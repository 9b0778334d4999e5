"""The specifications and environments of applications, and the sources of modules that are not imported yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from node_runtime.application import AppSpec, Running, load
from node_runtime.behaviours.application import notify_config_changes
from node_runtime.behaviours.application_controller import applications
from node_runtime.code import CodeServer, Source, SourceChange
from node_runtime.processes.runtime import runtime
from node_runtime.releases.files.config import Configuration
from node_runtime.releases.store.unpacked_release import UnpackedRelease


def application_spec(release: UnpackedRelease, name: str) -> AppSpec:
    """Return the specification of one application of a release."""
    app = release.apps[name]
    view = release.view.app(name)
    return AppSpec(
        name=app.name,
        vsn=app.vsn,
        applications=app.applications,
        mod=app.mod,
        registered=app.registered,
        modules=tuple(view.modules) if view is not None else (),
        env=dict(app.env),
        directory=str(release.root / f"lib/{app.name}-{app.vsn}"),
    )


def live_environment(release: UnpackedRelease) -> dict[str, dict[str, Any]]:
    """Return the present parameters of the release's applications, including changes that set_env made."""
    return {name: dict(applications().env.get(name, {})) for name in release.apps}


class ApplicationSnapshot:
    """A snapshot of the applications' specifications and environments, which a failed install restores."""

    def __init__(self) -> None:
        known = applications()
        self._specs, known.specs = known.specs, dict(known.specs)
        self._env, known.env = known.env, {name: dict(env) for name, env in known.env.items()}
        self._running: dict[str, Running] = dict(known.running)

    def adopt(self, target: UnpackedRelease, configuration: Configuration) -> None:
        """Give the applications of `target` their new specifications and environments.

        OTP does the same before it runs a relup.
        """
        known = applications()
        for name in (app.name for app in target.view.apps if app.start != "none"):
            spec = application_spec(target, name)
            load(spec, configuration.environment.get(name))
            if name in known.running:
                known.running[name] = replace(known.running[name], spec=spec)

    async def notify(self) -> list[str]:
        """Call config_change of the running applications whose environment has changed.

        Return a sentence for each application whose config_change failed. Called after the resume of the processes.
        """
        return await notify_config_changes(self._env)

    def put_back(self) -> None:
        """Restore the snapshot. Applications that have ended since the snapshot was taken stay ended."""
        known, alive = applications(), runtime().processes
        known.specs = self._specs
        known.env = self._env
        known.running = {name: app for name, app in self._running.items() if app.master is None or app.master in alive}


def register_sources(code: CodeServer, left: UnpackedRelease, target: UnpackedRelease) -> SourceChange:
    """Register the files of `target` as the sources of its modules, for later imports. Return the change, to undo it.

    A module that stays loaded gets the path of its file in `target`. `left` is the previous release: an application
    that only `left` has loses its sources. At boot, `left` is `target`, and all applications are registered.
    """
    gone: dict[str, list[Source]] = {name: [] for name in left.apps.keys() - target.apps.keys()}
    return code.change_sources(gone | _changed_sources(left, target))


@contextmanager
def files_of_target(code: CodeServer, left: UnpackedRelease, target: UnpackedRelease) -> Iterator[None]:
    """Inside the block, make loaded modules and `priv_dir` refer to the files of `target`, as if it were current.

    The bodies of the new modules run inside the block, so that they read the files of `target`.
    """
    known = applications()
    before = known.specs
    directories = {name: application_spec(target, name).directory for name in before.keys() & target.apps.keys()}
    known.specs = {
        name: replace(spec, directory=directories.get(name, spec.directory)) for name, spec in before.items()
    }
    change = code.change_sources(_changed_sources(left, target), for_imports=False)
    try:
        yield
    finally:
        change.undo()
        known.specs = before


def _changed_sources(left: UnpackedRelease, target: UnpackedRelease) -> dict[str, list[Source]]:
    """Return the sources of each application of `target`, except applications that `left` has in the same version."""
    same = {name for name, app in left.apps.items() if name in target.apps and target.apps[name].vsn == app.vsn}
    return {
        name: [source for source in target.sources.values() if source.app == name]
        for name in target.apps
        if target is left or name not in same
    }

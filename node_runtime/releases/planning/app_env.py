"""The specifications and environments of applications, and the sources of modules that are not imported yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from node_runtime.application import AppSpec, Running, load
from node_runtime.behaviours.application import notify_config_changes
from node_runtime.behaviours.application_controller import applications
from node_runtime.code import CodeServer
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
        """Notify the running applications whose environment has changed; return a sentence for each that failed.

        Called after the resume of the processes.
        """
        return await notify_config_changes(self._env)

    def put_back(self) -> None:
        """Restore the snapshot. Applications that have ended since it was taken stay ended."""
        known, alive = applications(), runtime().processes
        known.specs = self._specs
        known.env = self._env
        known.running = {name: app for name, app in self._running.items() if app.master is None or app.master in alive}


def register_sources(code: CodeServer, left: UnpackedRelease, target: UnpackedRelease) -> None:
    """Register the files of `target` as the sources of its modules, for later imports.

    An application is skipped if `left`, the previous release, has the same version of it, because
    its files are then the same. An application that only `left` has loses its sources. At boot,
    `left` is `target`, and all applications are registered.
    """
    for name in left.apps.keys() - target.apps.keys():
        code.add_sources(name, [])
    for name, app in target.apps.items():
        if target is left or name not in left.apps or left.apps[name].vsn != app.vsn:
            code.add_sources(name, [source for source in target.sources.values() if source.app == name])

"""What is known of the applications beside their code: specifications, environment, and where imports find modules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from node_runtime.application import AppSpec, Running, load
from node_runtime.behaviours.application import tell_of_changes
from node_runtime.behaviours.application_controller import applications
from node_runtime.code import CodeServer
from node_runtime.processes.runtime import runtime
from node_runtime.releases.files.config import Configuration
from node_runtime.releases.store.catalog import Unpacked


def spec_of(release: Unpacked, name: str) -> AppSpec:
    """The specification of one application of a release."""
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


def environment_in_force(release: Unpacked) -> dict[str, dict[str, Any]]:
    """The live parameters of the release's applications, changes by set_env among them."""
    return {name: dict(applications().env.get(name, {})) for name in release.apps}


class Surroundings:
    """The applications' specifications and environment as they are now, to be put back if an install fails."""

    def __init__(self) -> None:
        known = applications()
        self._specs, known.specs = known.specs, dict(known.specs)
        self._env, known.env = known.env, {name: dict(env) for name, env in known.env.items()}
        self._running: dict[str, Running] = dict(known.running)

    def follow(self, target: Unpacked, configuration: Configuration) -> None:
        """Let every application of `target` have its new specification and environment, as OTP does before a relup."""
        known = applications()
        for name in (app.name for app in target.view.apps if app.start != "none"):
            spec = spec_of(target, name)
            load(spec, configuration.environment.get(name))
            if name in known.running:
                known.running[name] = replace(known.running[name], spec=spec)

    async def tell(self) -> None:
        """Tell the running applications whose environment has become another one, when everybody runs again."""
        await tell_of_changes(self._env)

    def put_back(self) -> None:
        """Everything is as it was when this was made, but for applications that have ended since."""
        known, alive = applications(), runtime().processes
        known.specs = self._specs
        known.env = self._env
        known.running = {name: one for name, one in self._running.items() if one.master is None or one.master in alive}


def follow_sources(code: CodeServer, left: Unpacked, target: Unpacked) -> None:
    """Let the first import of every module that isn't loaded yet find it in `target`; a node that boots has left none.

    An application that both have in one version has one directory: it is where it was.
    """
    for name in left.apps.keys() - target.apps.keys():
        code.add_application(name, left.apps[name].vsn, {})
    for name, app in target.apps.items():
        if target is left or name not in left.apps or left.apps[name].vsn != app.vsn:
            paths: dict[str, str | Path] = {
                source.module: source.path for source in target.sources.values() if source.app == name
            }
            code.add_application(name, app.vsn, paths)

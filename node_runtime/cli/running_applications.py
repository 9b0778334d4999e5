"""Starts and stops the applications of a release, in the node's process."""

from __future__ import annotations

import importlib
import logging
from typing import Final

from node_runtime import application
from node_runtime.processes.crash_report import describe_start_failure
from node_runtime.processes.errors import CRASH_EXCEPTIONS, Exit
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.config import Configuration
from node_runtime.releases.files.schemas import BUILT_IN_APPLICATIONS, read_release
from node_runtime.releases.planning.app_env import application_spec
from node_runtime.releases.store.unpacked_release import UnpackedRelease

logger: Final = logging.getLogger("node_runtime")


async def start_applications(release: UnpackedRelease, configuration: Configuration) -> None:
    """Load all applications, then start them in the release's order, with the start types of release.toml.

    Raises Refused if a module can't be loaded, or if an application does not start.
    """
    needed = {name for app in release.apps.values() for name in app.applications}
    for name in sorted(BUILT_IN_APPLICATIONS & needed):
        built_in = importlib.import_module(f"node_runtime.{name}").APPLICATION
        application.load(built_in, configuration.environment.get(name))
    starts = read_release(release.root / "releases" / release.vsn / "release.toml").starts
    _load_modules(release, {name for name, start in starts.items() if start != "none"})
    for name in release.apps:
        if starts[name] != "none":
            application.load(application_spec(release, name), configuration.environment.get(name))
    for name in release.apps:
        start = starts[name]
        if start == "none" or start == "load":  # noqa: PLR1714  # mypy follows no `in`
            continue
        try:
            await application.start(name, start)
        except Exit as failed:
            raise _refused(name, failed.reason) from failed


async def stop_applications() -> None:
    """Stop all applications, the last one first."""
    for running in reversed(application.which_applications()):
        await application.stop(running.spec.name)


def _load_modules(release: UnpackedRelease, applications: set[str]) -> None:
    """Load all code at boot, as in OTP's embedded mode: a module that can't be loaded makes the boot fail."""
    for source in release.sources.values():
        if source.app in applications:
            try:
                importlib.import_module(source.module)
            except CRASH_EXCEPTIONS as error:
                logger.exception("module %s can't be loaded", source.module)
                cause = describe_reason(error)
                raise Refused(f"Module {source.module} of {source.app} can't be loaded: {cause}.") from error


def _refused(name: str, reason: object) -> Refused:
    return Refused(f"Application {name} did not start: {describe_start_failure(reason).rstrip('.')}.")

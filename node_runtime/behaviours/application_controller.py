"""The loaded and running applications of a node: their specifications, environments and processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from node_runtime.processes.pid import Pid
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused

StartType: TypeAlias = Literal["temporary", "transient", "permanent"]
"""Says whether the end of an application halts the node: never, only after an abnormal end, or always."""


@dataclass(frozen=True, slots=True)
class AppSpec:
    """The specification of an application.

    `mod` is the "module:Class" of the application's callbacks; None for a library. The `applications` are started
    before this application. `env` has the defaults of its environment. `directory` is the folder with its files; None
    for an application that is in no release. Follows the .app file of OTP.
    """

    name: str
    vsn: str
    applications: tuple[str, ...] = ()
    mod: str | None = None
    registered: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    env: dict[str, Any] = field(default_factory=dict)
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A started application. `master` and `top` are None for a library. OTP: application:info/0."""

    spec: AppSpec
    type: StartType
    master: Pid | None
    top: Pid | None


@dataclass(slots=True)
class PendingTransition:
    """An unfinished start or stop of an application.

    `finished` is set when the start or stop has succeeded or failed. `master` is the application's master; it is None
    until the start has created it.
    """

    finished: asyncio.Future[None]
    master: Pid | None = None


class Applications:
    """The applications of a runtime: their specifications and environments, and the processes of running ones."""

    def __init__(self) -> None:
        self.specs: dict[str, AppSpec] = {}
        self.env: dict[str, dict[str, Any]] = {}
        self.starting: dict[str, PendingTransition] = {}
        self.stopping: dict[str, PendingTransition] = {}
        self.running: dict[str, Running] = {}
        self.addresses: dict[str, Callable[[], list[str]]] = {}
        """By application, a function that returns where it accepts clients, such as `http://127.0.0.1:8000`."""

    def spec(self, name: str) -> AppSpec:
        """Return the specification of a loaded application. Raises Refused if it isn't loaded."""
        if name not in self.specs:
            raise Refused(f"application {name!r} is not loaded; load it first")
        return self.specs[name]


def applications() -> Applications:
    """Return the current runtime's table of applications."""
    return runtime().singleton(Applications)


def applications_to_change() -> Applications:
    """Return the table of applications, so that the caller can change it.

    Raises Exit if the calling process is a zombie.
    """
    runtime().refuse_zombie()
    return applications()


def load(spec: AppSpec, env: dict[str, Any] | None = None) -> None:
    """Load an application; `env` overrides the defaults of its environment. Follows application:load/1.

    Loading another version of a loaded application replaces its specification and its environment.
    """
    known = applications_to_change()
    known.specs[spec.name] = spec
    known.env[spec.name] = {**spec.env, **(env or {})}


def unload(name: str) -> None:
    """Unload a stopped application and its environment.

    Raises Refused if the application is running or isn't loaded. Follows application:unload/1.
    """
    known = applications_to_change()
    known.spec(name)
    if name in known.running:
        raise Refused(f"application {name!r} is running; stop it before you unload it")
    del known.specs[name], known.env[name]


def priv_dir(app: str) -> Path:
    """Return the folder priv/ of the current version of a loaded application. Follows code:priv_dir/1.

    A path that was returned before an upgrade still leads to the older files. Raises Refused if the application isn't
    loaded, or is in no release.
    """
    directory = applications().spec(app).directory
    if directory is None:
        raise Refused(f"application {app!r} has no folder priv/, because it is in no release")
    return Path(directory, "priv")


def get_env(app: str, key: str, default: Any = None) -> Any:
    """Return a value of an application's environment; `default` if the key is missing.

    Follows application:get_env/3.
    """
    return applications().env.get(app, {}).get(key, default)


def set_env(app: str, key: str, value: Any) -> None:
    """Set a value of a loaded application's environment. Raises Refused if the application isn't loaded.

    Follows application:set_env/3.
    """
    known = applications_to_change()
    known.spec(app)
    known.env[app][key] = value


def unset_env(app: str, key: str) -> None:
    """Remove a value of a loaded application's environment. Raises Refused if the application isn't loaded.

    Follows application:unset_env/2.
    """
    known = applications_to_change()
    known.spec(app)
    known.env[app].pop(key, None)


def get_all_env(app: str) -> dict[str, Any]:
    """Return all values of an application's environment; {} if the application isn't loaded.

    Follows application:get_all_env/1.
    """
    return dict(applications().env.get(app, {}))


def loaded_applications() -> list[AppSpec]:
    """Return the loaded applications, in the order of loading. Follows application:loaded_applications/0."""
    return list(applications().specs.values())


def which_applications() -> list[Running]:
    """Return the running applications, in the order of starting. Follows application:which_applications/0."""
    return list(applications().running.values())

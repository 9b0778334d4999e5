"""What is known of applications: their specifications and environment, and which of them run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from node_runtime.processes.pid import Pid
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.exit_codes import Refused

StartType: TypeAlias = Literal["temporary", "transient", "permanent"]


@dataclass(frozen=True, slots=True)
class AppSpec:
    """What an application is: `mod` is the "module:Class" of its callbacks, None for a library.

    `applications` are started before it; `env` are the defaults of its environment. Follows the .app file of OTP.
    """

    name: str
    vsn: str
    applications: tuple[str, ...] = ()
    mod: str | None = None
    registered: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    env: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """A started application. `master` and `top` are None for a library. OTP: as application:info/0 tells."""

    spec: AppSpec
    type: StartType
    master: Pid | None
    top: Pid | None


@dataclass(slots=True)
class UnderWay:
    """A start or a stop that is under way, of the process `master`; `over` is done when it is, however that went."""

    over: asyncio.Future[None]
    master: Pid | None = None


class Applications:
    """The applications of a runtime: specifications and environment of the loaded, processes of the started ones."""

    def __init__(self) -> None:
        self.specs: dict[str, AppSpec] = {}
        self.env: dict[str, dict[str, Any]] = {}
        self.starting: dict[str, UnderWay] = {}
        self.stopping: dict[str, UnderWay] = {}
        self.running: dict[str, Running] = {}

    def spec(self, name: str) -> AppSpec:
        """The specification of a loaded application. Refuses an unknown one."""
        if name not in self.specs:
            raise Refused(f"application {name!r} is not loaded; load it first")
        return self.specs[name]


def applications() -> Applications:
    """All that is known of applications in the running runtime."""
    return runtime().part(Applications)


def to_change() -> Applications:
    """The same, for the calling process to change. Raises Exit if that is a zombie."""
    runtime().refuse_zombie()
    return applications()


def load(spec: AppSpec, env: dict[str, Any] | None = None) -> None:
    """Make an application known; `env` overrides the defaults of its environment. Follows application:load/1.

    Loading another version of a loaded one replaces its specification and its environment.
    """
    known = to_change()
    known.specs[spec.name] = spec
    known.env[spec.name] = {**spec.env, **(env or {})}


def unload(name: str) -> None:
    """Forget a stopped application and its environment. Raises Refused for one that runs or isn't loaded.

    Follows application:unload/1.
    """
    known = to_change()
    known.spec(name)
    if name in known.running:
        raise Refused(f"application {name!r} is running; stop it before it is unloaded")
    del known.specs[name], known.env[name]


def get_env(app: str, key: str, default: Any = None) -> Any:
    """A value of an application's environment; `default` if there is none. Follows application:get_env/3."""
    return applications().env.get(app, {}).get(key, default)


def set_env(app: str, key: str, value: Any) -> None:
    """Change a value of a loaded application's environment. Raises Refused for one that isn't loaded.

    Follows application:set_env/3.
    """
    known = to_change()
    known.spec(app)
    known.env[app][key] = value


def unset_env(app: str, key: str) -> None:
    """Forget a value of a loaded application's environment. Raises Refused for one that isn't loaded.

    Follows application:unset_env/2.
    """
    known = to_change()
    known.spec(app)
    known.env[app].pop(key, None)


def get_all_env(app: str) -> dict[str, Any]:
    """All values of an application's environment; none if it isn't loaded. Follows application:get_all_env/1."""
    return dict(applications().env.get(app, {}))


def loaded_applications() -> list[AppSpec]:
    """The loaded applications, in the order of loading. Follows application:loaded_applications/0."""
    return list(applications().specs.values())


def which_applications() -> list[Running]:
    """The started applications, in the order of starting. Follows application:which_applications/0."""
    return list(applications().running.values())

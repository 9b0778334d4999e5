"""The parameters that a test gives to the applications of a node."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from node_runtime.releases.build.project import Project

AppParameters = Mapping[str, Mapping[str, Any]]
"""The parameters that a test gives to applications, by the application's name."""


def with_ports(releases: tuple[Project, ...], port: Callable[[], int]) -> dict[str, dict[str, Any]]:
    """Return, for each application, a port for each parameter whose name is `port` or ends in `_port`.

    A parameter that several of the releases have gets one port.
    """
    found: dict[str, dict[str, Any]] = {}
    for app in (app for project in releases for app in project.apps):
        ports = found.setdefault(app.app.name, {})
        for key in app.app.env:
            if key not in ports and (key == "port" or key.endswith("_port")):
                ports[key] = port()
    return found


def parameters_toml(defaults: AppParameters, environment: AppParameters) -> str:
    """Return the text of sys.toml. JSON's strings, numbers and lists are TOML's, too."""
    names = sorted({*defaults, *environment})
    tables = {name: {**defaults.get(name, {}), **environment.get(name, {})} for name in names}
    return "".join(
        f"[{name}]\n" + "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)

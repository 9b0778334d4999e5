"""A node's configuration: the values in the release's files, overridden by those in the operator's files in etc/.

Staging or installing a release never changes etc/. An unreadable file raises `Refused`, because a
node that runs without its configuration does more harm than a node that does not start.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from .schemas import App, Environment, NodeConfig, read_environment
from .toml_reading.toml_file import convert, read_table
from .trust_settings import read_trust_settings, refuse_trust_settings, without_trust_settings


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The values of node.toml and sys.toml after the operator's files have overridden the release's."""

    node: NodeConfig
    environment: Environment


def read_configuration(directory: Path, vsn: str) -> Configuration:
    """Return the configuration of the node in `directory` for release `vsn`. Raises `Refused`."""
    release, etc = directory / "releases" / vsn, directory / "etc"
    override = etc / "node.toml"
    defaults: dict[str, Any] = read_table(release / "node.toml")
    refuse_trust_settings(release / "node.toml", defaults)
    node = convert(release / "node.toml", defaults, NodeConfig)
    if os.path.lexists(override):
        read_trust_settings(directory)  # a wrong value has to be reported at boot, and not at the first upgrade
        node = convert(override, _merge_tables(defaults, without_trust_settings(read_table(override))), NodeConfig)
    return Configuration(
        node=node,
        environment=_merge_environments(read_environment(release / "sys.toml"), read_environment(etc / "sys.toml")),
    )


def _merge_tables(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Merge two tables key by key; where both have a key, `override` wins. Nested tables are merged in the same way."""
    nested = {
        key: _merge_tables(base[key], table) for key, table in override.items() if _are_tables(table, base.get(key))
    }
    return {**base, **override, **nested}


def _are_tables(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)


def _merge_environments(base: Environment, override: Environment) -> Environment:
    """Merge two environments; where both have a key, `override` wins."""
    return {name: {**base.get(name, {}), **override.get(name, {})} for name in sorted({*base, *override})}


def application_environment(app: App, environment: Environment) -> dict[str, Any]:
    """Return the parameters of one application: the defaults of its app.toml, overridden by `environment`."""
    return {**app.env, **environment.get(app.name, {})}

"""A node's configuration: the release's files, overridden by the operator's files in etc/.

The operator's value wins, key by key, and no release changes etc/. An unreadable file raises `Refused` and
never counts as empty: a node without its configuration does more harm than a node that does not start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from .schemas import App, Environment, NodeConfig, read_environment
from .toml import convert, read_table


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The effective node.toml and sys.toml."""

    node: NodeConfig
    environment: Environment


def read_configuration(directory: Path, vsn: str) -> Configuration:
    """Return the configuration of the node in `directory` under release `vsn`. Raises `Refused`."""
    release, etc = directory / "releases" / vsn, directory / "etc"
    override = etc / "node.toml"
    defaults: dict[str, Any] = read_table(release / "node.toml")
    node = convert(release / "node.toml", defaults, NodeConfig)
    if override.exists():
        node = convert(override, _merge_tables(defaults, read_table(override)), NodeConfig)
    return Configuration(
        node=node,
        environment=_merge_environments(read_environment(release / "sys.toml"), read_environment(etc / "sys.toml")),
    )


def _merge_tables(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Merge two tables key by key, recursively where a key is a table in both."""
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
    """Return the parameters of one application: its defaults, overridden by the environment."""
    return {**app.env, **environment.get(app.name, {})}

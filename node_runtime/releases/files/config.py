"""A node's configuration: what the release says, and what the node's owner says over it in etc/.

An operator's word wins, key by key, and no release touches it. A file that can't be read is a refusal, never a
default: a node that forgets its configuration is worse than one that doesn't start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from .schemas import App, Environment, NodeConfig, read_environment
from .toml import convert, read_table


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What node.toml and sys.toml say in the end."""

    node: NodeConfig
    environment: Environment


def read_configuration(directory: Path, vsn: str) -> Configuration:
    """The configuration that the node in `directory` has with release `vsn`. Raises `Refused`."""
    release, etc = directory / "releases" / vsn, directory / "etc"
    override = etc / "node.toml"
    written: dict[str, Any] = read_table(release / "node.toml")
    node = convert(release / "node.toml", written, NodeConfig)
    if override.exists():
        node = convert(override, _over(written, read_table(override)), NodeConfig)
    return Configuration(
        node=node,
        environment=merged(read_environment(release / "sys.toml"), read_environment(etc / "sys.toml")),
    )


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both tables in one, key by key, also where a key is a table in both."""
    inner = {key: _over(below[key], table) for key, table in above.items() if _is_table(table, below.get(key))}
    return {**below, **above, **inner}


def _is_table(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)


def merged(below: Environment, above: Environment) -> Environment:
    """Both environments in one; for a key that both have, `above` wins."""
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in sorted({*below, *above})}


def environment_of(app: App, environment: Environment) -> dict[str, Any]:
    """The parameters of one application: its own defaults, with the environment's word over them."""
    return {**app.env, **environment.get(app.name, {})}

"""The settings that only etc/node.toml may have: which releases the node accepts, and the anchor of its audit log.

The anchor is a place that receives each new hash of the log, and that the node's user can't change. A release's
node.toml is refused if it has one of these settings. So a release can't make the node accept further releases, and
can't move the anchor.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from .schemas import TomlStruct
from .toml_reading.toml_file import convert, read_table, refusal_at

MAX_APPROVALS = 9


class TrustSettings(TomlStruct, frozen=True):
    """The trust settings of a node.

    With `allow_unsigned`, the node accepts unsigned releases even if it has release keys. `approvals` is the number of
    people that an install needs: one person stages the release, and the others approve it. `audit_anchor` is the
    absolute path of a file or of a syslog socket that receives each new hash of the audit log, or "none". If
    `audit_anchor` is None, the node chooses the anchor.
    """

    allow_unsigned: bool = False
    approvals: Annotated[int, Meta(ge=1, le=MAX_APPROVALS)] = 1
    audit_anchor: Annotated[str, Meta(pattern="^(/|none$)")] | None = None


def node_toml(directory: Path) -> Path:
    """Return the path of the etc/node.toml of the node in `directory`. The file may be missing."""
    return directory / "etc" / "node.toml"


def read_trust_settings(directory: Path) -> TrustSettings:
    """Read the trust settings in the etc/node.toml of the node in `directory`. Raises Refused."""
    path = node_toml(directory)
    if not os.path.lexists(path):  # a broken symbolic link is refused when it is read
        return TrustSettings()
    table = read_table(path)
    return convert(path, {key: table[key] for key in TrustSettings.__struct_fields__ if key in table}, TrustSettings)


def without_trust_settings(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return `table`, the content of etc/node.toml, without the trust settings."""
    return {key: value for key, value in table.items() if key not in TrustSettings.__struct_fields__}


def refuse_trust_settings(path: Path, table: Mapping[str, Any]) -> None:
    """Raise Refused if `table`, the content of a release's node.toml, has a trust setting."""
    for key in TrustSettings.__struct_fields__:
        if key in table:
            raise refusal_at(path, (key,), f"a release must not set {key}; set it in the etc/node.toml of the node")

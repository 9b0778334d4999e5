"""Remembers, in the node's var/, whether the node demands signatures and approvals.

If a node finds no etc/release-keys, it may never have had keys, or its etc/ may have been deleted, replaced or not
mounted. So a running node records outside of etc/ that it had keys. If the keys are missing later, every release is
refused until an operator restores them, or states in etc/node.toml that the node needs no signatures.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.durable import write_atomically
from node_runtime.releases.files.regular_file import read_regular
from node_runtime.releases.files.trust_settings import TrustSettings, node_toml

from .release_keys import release_keys_folder

MAX_REMEMBERED_BYTES: Final = 4096

logger: Final = logging.getLogger("node_runtime.releases")


class RememberedTrust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the node had release keys, and how many people an install needed."""

    release_keys: bool = False
    approvals: int = 1


def remembered_path(directory: Path) -> Path:
    """Return the file in which the node in `directory` remembers what it has demanded."""
    return directory / "var" / "demanded.json"


def check_remembered(directory: Path, settings: TrustSettings) -> None:
    """Raise Refused if the node demanded signatures or approvals before, and etc/ has lost the files that demand them.

    If the node had release keys, their folder must exist, unless `settings` allow unsigned releases. If an install
    needed several people, node.toml must exist.
    """
    remembered = _read(directory)
    keys, toml = release_keys_folder(directory), node_toml(directory)
    if remembered.release_keys and not os.path.lexists(keys) and not settings.allow_unsigned:
        raise Refused(
            f"{keys} is missing on a node that required signatures, so no release is accepted; restore it, or write "
            f"`allow_unsigned = true` into {toml}."
        )
    if remembered.approvals > 1 and not os.path.lexists(toml):
        raise Refused(
            f"{toml} is missing on a node whose installs required {remembered.approvals} people, so no release is "
            f"accepted; restore it, or write one without `approvals`."
        )


def remember(directory: Path, *, release_keys: bool, approvals: int) -> None:
    """Remember what the node demands now. Call this function only after `check_remembered` has raised no error."""
    demanded = RememberedTrust(release_keys, approvals)
    try:
        if demanded != _read(directory):
            path = remembered_path(directory)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, msgspec.json.encode(demanded))
    except OSError as error:
        logger.warning("the node can't remember that it demands signatures or approvals: %s", error)


def _read(directory: Path) -> RememberedTrust:
    path = remembered_path(directory)
    try:
        return msgspec.json.decode(read_regular(path, MAX_REMEMBERED_BYTES), type=RememberedTrust)
    except FileNotFoundError:
        return RememberedTrust()
    except (OSError, msgspec.MsgspecError) as error:
        raise Refused(
            f"{path} can't be read ({error}), so no release is accepted; if you have checked that nobody else has "
            f"changed {directory / 'etc'}, remove {path.name}."
        ) from None

"""The keys that may sign the releases of a node: the files etc/release-keys/*.pub of its directory.

A file is a public key of minisign: a comment and a line of base64. minisign reads only these two lines. Below them, an
operator who can write to the node's directory may add settings in TOML:

    role = "release"                       # a key with another role can't sign releases
    not_after = 2027-12-31                 # the last day on which a release with its signature can be staged
    revoked = "2026-11-28: laptop lost"    # releases with its signature are not staged or installed any more

The files are read at each use, so a change needs no restart. If a file is unreadable or invalid, every release is
refused, because the unreadable file may contain a revocation.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.names import Name
from node_runtime.releases.files.regular_file import open_regular
from node_runtime.releases.files.schemas import TomlStruct

from .minisign import UNTRUSTED_PREFIX, MalformedFile, PublicKey, decode_public_key

RELEASE_ROLE: Final = "release"
MAX_KEY_FILE_BYTES: Final = 16 << 10
MAX_RELEASE_KEYS: Final = 100


class ReleaseKeySettings(TomlStruct, frozen=True):
    """The settings in TOML below the public key in a file of etc/release-keys. All are optional."""

    role: Name = RELEASE_ROLE
    not_after: date | None = None
    revoked: str | None = None


class ReleaseKey(msgspec.Struct, frozen=True):
    """A release key of a node. `name` is the name of the key's file without .pub."""

    name: str
    public: PublicKey
    settings: ReleaseKeySettings

    def __str__(self) -> str:
        """Return the key's name and its id."""
        return f"{self.name} ({self.public})"

    def refusal(self, today: date) -> str | None:
        """Return the clause that says why a release with this key's signature can't be staged; None if it can."""
        if (revoked := self.settings.revoked) is not None:
            return f"the key {self} was revoked ({revoked})"
        if self.settings.role != RELEASE_ROLE:
            return f"the key {self} has the role {self.settings.role}, not {RELEASE_ROLE}"
        if self.settings.not_after is not None and today > self.settings.not_after:
            return f"the key {self} expired on {self.settings.not_after}"
        return None


def release_keys_folder(directory: Path) -> Path:
    """Return the folder of the release keys in a node's directory."""
    return directory / "etc" / "release-keys"


def read_node_keys(directory: Path) -> tuple[ReleaseKey, ...]:
    """Read the release keys of the node in `directory`; none if the node has no folder for keys. Raises Refused.

    A folder without a key is refused, because something is wrong: a disk with the keys may not be mounted, or the files
    may have wrong names.
    """
    folder = release_keys_folder(directory)
    keys = read_release_keys(folder)
    if not keys and os.path.lexists(folder):
        raise Refused(
            f"{folder} has no key (NAME.pub), so no release is accepted; add one, or remove {folder.name} and write "
            f"`allow_unsigned = true` into etc/node.toml."
        )
    return keys


def read_release_keys(folder: Path) -> tuple[ReleaseKey, ...]:
    """Read all keys of a folder, sorted by name; there are none if there is no folder. Raises Refused."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".pub")
        if paths:
            _check_owner_only(folder, folder.stat())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise Refused(f"The release keys in {folder} can't be read: {error.strerror}.") from None
    if len(paths) > MAX_RELEASE_KEYS:
        raise Refused(f"{folder} has {len(paths)} release keys (limit {MAX_RELEASE_KEYS}); remove some.")
    keys = tuple(read_release_key(path) for path in paths)
    names: dict[bytes, str] = {}
    for key in keys:
        if (other := names.setdefault(key.public.id, key.name)) != key.name:
            raise Refused(f"{folder} has two keys with the id {key.public}, {other} and {key.name}; remove one.")
    return keys


def read_release_key(path: Path) -> ReleaseKey:
    """Read one key. Raises Refused."""
    try:
        with open_regular(path) as file:
            _check_owner_only(path, os.fstat(file.fileno()))
            data = file.read(MAX_KEY_FILE_BYTES + 1)
        return _decode(path.name.removesuffix(".pub"), data)
    except OSError as error:
        raise Refused(f"The release key {path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path} is not a release key: {error}; `node-runtime keys new` makes one.") from None


def accepted_keys_clause(keys: Iterable[ReleaseKey], today: date) -> str:
    """Return a clause with the keys whose signatures are accepted today."""
    accepted = [str(key) for key in keys if key.refusal(today) is None]
    if not accepted:
        return "none of the node's release keys is valid any more"
    return f"the accepted {'keys are' if len(accepted) > 1 else 'key is'} {' and '.join(accepted)}"


def _decode(name: str, data: bytes) -> ReleaseKey:
    if len(data) > MAX_KEY_FILE_BYTES:
        raise MalformedFile(f"it has more than {MAX_KEY_FILE_BYTES:,} bytes")
    comment, line, settings = (*data.decode().replace("\r\n", "\n").split("\n", 2), "", "")[:3]
    if not comment.startswith(UNTRUSTED_PREFIX):
        raise MalformedFile("its first line is not a comment of minisign")
    return ReleaseKey(
        name, decode_public_key(line.strip()), msgspec.convert(tomllib.loads(settings), ReleaseKeySettings)
    )


def _check_owner_only(path: Path, found: os.stat_result) -> None:
    """Raise Refused for a file or folder that other users may change: such a user could add a key."""
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o022:
        raise Refused(
            f"Other users may change {path} (mode {mode:04o}); check its content and run `chmod go-w {path}`."
        )
    if found.st_uid not in (0, os.geteuid()):
        raise Refused(f"Other users may change {path} (owner {found.st_uid}); check its content and run chown.")

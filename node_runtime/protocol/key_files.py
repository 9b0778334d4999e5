"""The files with the clients' keys in a node's directory. The key ring is made from them.

    etc/keys/<role>              the public key of the role's default cookie
    etc/keys/people/<name>.json  the public keys of one person, the newest one last

A default key, named "operator" or "viewer", has a file in people/ once it has been rotated or revoked. No file has the
secret key of a person. Each file is replaced in one step, so a reader needs no lock.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from zmq.utils import z85

from .cookie import ROLES, key_text, parse_key, read_key
from .exit_codes import ExitCode, Refused
from .key_ring import KeyRing, RingKey
from .messages import Role
from .private_files import make_private_folder, read_private, write_private

MAX_PEOPLE: Final = 500
"""The maximum number of people with keys. There is a limit because each change of a key sends the whole key ring."""
MAX_KEYS_OF_A_PERSON: Final = 8
"""The file of a person keeps this many of the newest keys. Older keys are deleted, and no longer valid."""
NODE_NAME: Final = "node"
"""The name of the node itself in the audit log."""
RESERVED_NAMES: Final = frozenset({*ROLES, NODE_NAME, "probation", "parent"})
"""Names that people may not use: the names of the default keys, and of parts of a node that begin operations."""
_KEY_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")

logger: Final = logging.getLogger("node_runtime.protocol")


class PersonKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key of a person. Times are Unix seconds; `by` is the OS user who made the key.

    The key is valid until `not_after`, which a rotation sets, or until `revoked`, the time of its revocation.
    """

    public: str
    role: Role
    made: float
    by: str
    not_after: float | None = None
    revoked: float | None = None

    @property
    def until(self) -> float | None:
        """The Unix time at which the key expires, or was revoked; None if it never expires."""
        return min((end for end in (self.not_after, self.revoked) if end is not None), default=None)


class PersonKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of one person."""

    name: str
    keys: tuple[PersonKey, ...]


def check_key_name(name: str) -> None:
    """Raise Refused (USAGE) unless `name` is allowed as the name of a key."""
    if not _KEY_NAME.fullmatch(name):
        raise Refused(
            f"{name!r} can't be the name of a key; use 1 to 32 of the characters a-z, 0-9, '.', '_' and '-', and begin "
            f"with a letter or digit.",
            ExitCode.USAGE,
        )
    if name in RESERVED_NAMES:
        raise Refused(f"The name {name} is reserved; choose the name of a person or of a program.", ExitCode.USAGE)


def default_role(name: str) -> Role | None:
    """Return the role whose default key has this name; None for the name of a person's key."""
    return next((role for role in ROLES if role == name), None)


def people_folder(directory: Path) -> Path:
    """Return the folder of the people's keys in the node's `directory`."""
    return directory / "etc" / "keys" / "people"


def fingerprint(public: bytes) -> str:
    """Return the short name that identifies a public key (Z85) in lists and in the audit log."""
    return hashlib.sha256(z85.decode(public)).hexdigest()[:16]


def read_person(directory: Path, name: str) -> PersonKeys:
    """Return the keys of the person `name`: none if there is no file. Raises Refused if the file is damaged.

    `name` may also be a role. Then the result has the role's default key, unless this key is revoked.
    """
    path = people_folder(directory) / f"{name}.json"
    try:
        person = msgspec.json.decode(read_private(path), type=PersonKeys)
        if person.name != name:
            raise ValueError(f"it has the keys of {person.name}")
        for key in person.keys:
            parse_key(key.public)
    except FileNotFoundError:
        person = PersonKeys(name, ())
    except (OSError, ValueError) as error:
        raise Refused(
            f"The keys in {path} can't be read ({error}); remove the file, and make a new key for {name}."
        ) from None
    role = default_role(name)
    return person if role is None else _with_default_key(directory, person, role)


def _with_default_key(directory: Path, person: PersonKeys, role: Role) -> PersonKeys:
    """Return `person` with the key in etc/keys/<role> added, unless this key is revoked. The key never expires."""
    path = directory / "etc" / "keys" / role
    current = key_text(read_key(path))
    kept = tuple(key for key in person.keys if key.public != current)
    listed = next((key for key in person.keys if key.public == current), None)
    if listed is not None:
        return PersonKeys(person.name, (*kept, msgspec.structs.replace(listed, not_after=None)))
    if kept and all(key.revoked is not None for key in kept):
        return person  # the revocation has replaced the key in etc/keys/<role> by a key without a cookie
    return PersonKeys(person.name, (*kept, PersonKey(current, role, path.stat().st_mtime, "")))


def write_person(directory: Path, person: PersonKeys) -> None:
    """Replace the file of a person. Raises OSError."""
    folder = make_private_folder(people_folder(directory))
    newest = PersonKeys(person.name, person.keys[-MAX_KEYS_OF_A_PERSON:])
    write_private(folder / f"{person.name}.json", msgspec.json.format(msgspec.json.encode(newest)).decode() + "\n")


def names_of_keys(directory: Path) -> list[str]:
    """Return the names of the default keys, then the sorted names of all people."""
    folder = people_folder(directory)
    found = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
    return [*ROLES, *[name for name in found if _KEY_NAME.fullmatch(name) and name not in RESERVED_NAMES][:MAX_PEOPLE]]


def read_key_ring(directory: Path) -> KeyRing:
    """Return the key ring of a node. The keys in an unreadable file are left out; the log names such a file."""
    return KeyRing(tuple(_ring_keys(directory)))


def _ring_keys(directory: Path) -> Iterator[RingKey]:
    for name in names_of_keys(directory):
        try:
            person = read_person(directory, name)
        except (Refused, OSError) as error:
            logger.error("clients with the key of %s are refused: %s", name, error)
            continue
        for key in person.keys:
            yield RingKey(parse_key(key.public), name, default_role(name) or key.role, key.until)


def key_files_state(directory: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return a value that changes whenever a key file changes. Computing it takes one stat call per file."""
    return tuple(
        sorted(
            (entry.path, found.st_ino, found.st_mtime_ns, found.st_mode)
            for folder in (directory / "etc" / "keys", people_folder(directory))
            if folder.is_dir()
            for entry in os.scandir(folder)
            for found in (entry.stat(follow_symlinks=False),)
        )
    )

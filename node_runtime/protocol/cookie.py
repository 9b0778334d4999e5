"""Keys and cookies, which authenticate a node to its operators and an operator to the node.

CURVE is the encryption of ZeroMQ. A node makes three CURVE key pairs once: its own pair, and one for each role. A
*cookie* is one line with two keys: the secret key of a role or of a person, and the node's public key. So the holder of
a cookie can authenticate the node, too. The node's directory has the node's keys and the default cookies of the roles.
Only the owner of these files can read them:

    etc/keys/server       the node's secret key
    etc/keys/<role>       the public key of a role's default cookie
    etc/cookies/<role>    a role's default cookie: hotdash1:<role>:<secret key>:<the node's public key>
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import zmq
from zmq.utils import z85

from .exit_codes import ExitCode, Refused
from .messages import Role
from .private_files import make_private_folder, read_private, write_private

COOKIE_PREFIX = "hotdash1"
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A secret key, its role, and the public key of the node. Both keys are in the Z85 encoding of zmq."""

    role: Role
    secret: bytes = field(repr=False)
    server: bytes

    def line(self) -> str:
        """Return the cookie as the line of text that people pass on."""
        return f"{COOKIE_PREFIX}:{self.role}:{key_text(self.secret)}:{key_text(self.server)}"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The keys of a node's control endpoint: the node's secret key, and the clients' public keys with their roles."""

    secret: bytes = field(repr=False)
    roles: dict[bytes, Role]

    @property
    def public(self) -> bytes:
        """The node's public key."""
        return zmq.curve_public(self.secret)


def cookie_path(directory: Path, role: Role) -> Path:
    """Return the path of the cookie of `role` in the node's `directory`."""
    return directory / "etc" / "cookies" / role


def make_keys(directory: Path) -> NodeKeys:
    """Return the keys of the node in `directory`. Makes the keys and the cookies if they don't exist yet."""
    keys, cookies = directory / "etc" / "keys", directory / "etc" / "cookies"
    for folder in (keys, cookies):
        make_private_folder(folder)
    with locked_keys(directory):  # `bin/<name> cookie` may run while the node boots for the first time
        if not (keys / "server").exists():
            _make_all(directory)
    return NodeKeys(
        secret=read_key(keys / "server"),
        roles={read_key(keys / role): role for role in ROLES},
    )


@contextmanager
def locked_keys(directory: Path) -> Iterator[None]:
    """Keep other processes from changing the keys of the node in `directory` while the block runs."""
    lock = os.open(directory / "etc" / "keys", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # closing is not enough: a child forked meanwhile has it open
        os.close(lock)


def read_cookie(path: Path) -> Cookie:
    """Return the cookie in the file `path`.

    Raises Refused (NOT_ALLOWED) if the file can't be read, is open to other users, or does not
    contain a cookie that a node made.
    """
    try:
        text = read_private(path).strip()
    except OSError as error:
        raise Refused(
            f"The cookie file {path} can't be read ({error.strerror}); "
            f"run `bin/<name> cookie` on the node to print the cookie again.",
            ExitCode.NOT_ALLOWED,
        ) from None
    try:
        magic, role, secret, server = text.split(":")
        if magic != COOKIE_PREFIX or role not in ROLES:
            raise ValueError(magic)
        return Cookie(role, secret=parse_key(secret), server=parse_key(server))
    except ValueError:
        raise Refused(
            f"{path} does not contain a cookie that a node made (an invented cookie could be guessed); "
            f"run `bin/<name> cookie` on the node to print a valid one.",
            ExitCode.NOT_ALLOWED,
        ) from None


def _make_all(directory: Path) -> None:
    server_public, server_secret = zmq.curve_keypair()
    for role in ROLES:
        public, secret = zmq.curve_keypair()
        write_private(directory / "etc" / "keys" / role, key_text(public) + "\n")
        write_private(cookie_path(directory, role), Cookie(role, secret, server_public).line() + "\n")
    # This file is written last: if it exists, all other files exist, too.
    write_private(directory / "etc" / "keys" / "server", key_text(server_secret) + "\n")


def read_key(path: Path) -> bytes:
    """Return the key (Z85) in a file of etc/keys. Raises Refused (NOT_ALLOWED)."""
    try:
        return parse_key(read_private(path).strip())
    except (OSError, ValueError):
        raise Refused(
            f"The key in {path} can't be read; remove {path.parent}, and the node will make new keys and cookies.",
            ExitCode.NOT_ALLOWED,
        ) from None


def key_text(key: bytes) -> str:
    """Return a key (Z85) as text in the form of key files and cookies."""
    return base64.urlsafe_b64encode(z85.decode(key)).decode().rstrip("=")


def parse_key(text: str) -> bytes:
    """Return the key (Z85) in a text. Raises ValueError if the text has no key."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if len(raw) != 32:
        raise ValueError("a key has 32 bytes")
    return z85.encode(raw)

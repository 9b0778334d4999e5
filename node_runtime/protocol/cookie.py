"""Keys and cookies, which authenticate a node to its operators and an operator to the node.

CURVE is the encryption of ZeroMQ. A node makes three CURVE key pairs once: its own and one for each
role. A *cookie* is one line with a role's secret key and the node's public key, so the holder of a
cookie can authenticate the node, too. The keys and the cookies are in the node's directory, and
only the owner of these files can read them:

    etc/keys/server       the node's secret key
    etc/keys/<role>       a role's public key
    etc/cookies/<role>    a role's cookie: hotdash1:<role>:<secret key>:<the node's public key>
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import zmq
from zmq.utils import z85

from .exit_codes import ExitCode, Refused
from .messages import Role

COOKIE_PREFIX = "hotdash1"
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A role's secret key and the public key of its node; both in the Z85 encoding of zmq."""

    role: Role
    secret: bytes = field(repr=False)
    server: bytes

    def line(self) -> str:
        """Return the cookie as the line of text that people pass on."""
        return f"{COOKIE_PREFIX}:{self.role}:{_to_text(self.secret)}:{_to_text(self.server)}"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The keys of a node's control endpoint: its own secret key, and the role of each client's public key."""

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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(keys, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `bin/<name> cookie` may run while the node boots for the first time
        if not (keys / "server").exists():
            _make_all(directory)
    finally:
        os.close(lock)
    return NodeKeys(
        secret=_read_key(keys / "server"),
        roles={_read_key(keys / role): role for role in ROLES},
    )


def read_cookie(path: Path) -> Cookie:
    """Return the cookie in the file `path`.

    Raises Refused (NOT_ALLOWED) if the file can't be read, is open to other users, or does not
    contain a cookie that a node made.
    """
    try:
        text = _read_private(path).strip()
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
        return Cookie(role, secret=_to_key(secret), server=_to_key(server))
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
        _write_private(directory / "etc" / "keys" / role, _to_text(public))
        _write_private(cookie_path(directory, role), Cookie(role, secret, server_public).line())
    # Written last: if this file exists, all the others exist, too.
    _write_private(directory / "etc" / "keys" / "server", _to_text(server_secret))


def _read_key(path: Path) -> bytes:
    try:
        return _to_key(_read_private(path).strip())
    except (OSError, ValueError):
        raise Refused(
            f"The key in {path} can't be read; remove {path.parent}, and the node will make new keys and cookies.",
            ExitCode.NOT_ALLOWED,
        ) from None


def _to_text(key: bytes) -> str:
    return base64.urlsafe_b64encode(z85.decode(key)).decode().rstrip("=")


def _to_key(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if len(raw) != 32:
        raise ValueError("a key has 32 bytes")
    return z85.encode(raw)


def _write_private(path: Path, line: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read_private(path: Path) -> str:
    """Return the text of `path`. Raises Refused if other users may read or write the file; ssh does the same."""
    with path.open(encoding="ascii", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise Refused(
                f"{path} is open to other users (mode {mode:04o}), so they may know its key; "
                f"if you still trust the key, run `chmod 600 {path}`.",
                ExitCode.NOT_ALLOWED,
            )
        return file.read(4096)

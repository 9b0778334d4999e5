"""The rotation of a node's own key, which each cookie contains.

A node has one key at a time, because a client has to know the key before it sends the first byte. So a rotation
announces the next key and the time of the replacement. Until then, the holders of cookies can prepare new cookies:

    etc/keys/server.next   the next secret key, and the Unix time at which it replaces the key in etc/keys/server

A running node replaces its key at that time without a restart. A node that is down replaces its key when it starts.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import zmq

from node_runtime.protocol.cookie import ROLES, cookie_path, key_text, locked_keys, parse_key, read_cookie
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.private_files import read_private, sync_directory, write_private


class NextKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next key of a node. `at` is the Unix time of the replacement."""

    secret: str
    at: float

    @property
    def public(self) -> str:
        """The public key of the next key, in the form in which cookies contain it."""
        return key_text(zmq.curve_public(parse_key(self.secret)))


def change_of_cookies(following: NextKey) -> str:
    """Return sentences for the holders of cookies: when to replace the node's key in a cookie, and by which key."""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(following.at))
    return (
        f"The node's own key is replaced at {when}. From then on, cookies with the former key don't work. The node "
        f"changes the two default cookies itself; in each other cookie, replace the text after the last colon by "
        f"{following.public}."
    )


def read_next_key(directory: Path) -> NextKey | None:
    """Return the next key of the node in `directory`; None if there is none. Raises Refused."""
    path = _path(directory)
    try:
        following = msgspec.json.decode(read_private(path), type=NextKey)
        parse_key(following.secret)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Refused(f"The next key of the node in {path} can't be read ({error}); remove the file.") from None
    return following


def plan_next_key(directory: Path, grace: float) -> NextKey:
    """Make the key that replaces the node's key in `grace` seconds. A previously planned key is dropped."""
    _, secret = zmq.curve_keypair()
    following = NextKey(key_text(secret), time.time() + grace)
    write_private(_path(directory), msgspec.json.encode(following).decode() + "\n")
    return following


def replace_key_if_due(directory: Path) -> bool:
    """Replace the node's key if its replacement is due; return whether it was replaced. Raises Refused and OSError.

    The default cookies get the new key, too. If a replacement is interrupted at any step, the next call completes it.
    """
    if (following := read_next_key(directory)) is None or following.at > time.time():
        return False
    with locked_keys(directory):
        if (following := read_next_key(directory)) is None or following.at > time.time():
            return False
        for role in ROLES:
            path = cookie_path(directory, role)
            if path.exists():
                cookie = replace(read_cookie(path), server=parse_key(following.public))
                write_private(path, cookie.line() + "\n")
        write_private(directory / "etc" / "keys" / "server", following.secret + "\n")
        _path(directory).unlink()
        sync_directory(_path(directory).parent)
    return True


def _path(directory: Path) -> Path:
    return directory / "etc" / "keys" / "server.next"

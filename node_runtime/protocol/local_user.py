"""The name of the user who runs this process."""

from __future__ import annotations

import getpass
import os
import pwd


def local_user() -> str:
    """Return `user@host`, the user that a client claims to be. For a user without a name, `user` is the user id."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"


def os_user(uid: int | None = None) -> str:
    """Return the name of an OS user, by default of the user of this process. Environment variables are ignored."""
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

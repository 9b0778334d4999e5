"""The name of the user who runs this process."""

from __future__ import annotations

import getpass
import os


def local_user() -> str:
    """Return `user@host`, as written to a node's audit log. For a user without a name, `user` is the user id."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"

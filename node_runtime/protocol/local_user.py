"""The name of the person who runs this process."""

from __future__ import annotations

import getpass
import os


def local_user() -> str:
    """Returns `user@host`, as the audit of a node shows it. A user without a name is shown by number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"

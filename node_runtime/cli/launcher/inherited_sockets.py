"""The sockets that systemd has opened and passed to the parent, which passes them on to each node that it boots.

The parent keeps the sockets open, so connections that are made while a node restarts wait instead of being refused.
This follows sd_listen_fds(3): the descriptors from 3 on are the sockets, LISTEN_FDS is their number, and LISTEN_PID is
the id of the process that gets them. The node gets these environment variables with its own process id.
"""

from __future__ import annotations

import os
import stat

FIRST = 3  # SD_LISTEN_FDS_START
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
# The beginning of a command that gets the sockets: the shell sets LISTEN_PID to its own id, which the command keeps.
AS_RECEIVER = ("/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh")


def take_inherited_sockets() -> tuple[int, ...]:
    """Return the descriptors of the sockets that were passed to this process; () if none were.

    If the variables are for another process, or name a descriptor that is not a socket, they are removed.
    """
    number = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and number.isdecimal():
        descriptors = tuple(range(FIRST, FIRST + int(number[:4])))
        if descriptors and all(map(_is_socket, descriptors)):
            os.environ.pop("LISTEN_PIDFDID", None)  # the node's would differ
            return descriptors
    for name in VARIABLES:
        os.environ.pop(name, None)
    return ()


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False

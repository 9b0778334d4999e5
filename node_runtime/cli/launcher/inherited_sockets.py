"""The sockets that systemd has opened and passed to the parent, which passes them on to each node that it boots.

The parent keeps them open, so clients that connect while a node restarts wait instead of being refused. Follows
sd_listen_fds(3): the descriptors from 3 on are the sockets, LISTEN_FDS is their number, and LISTEN_PID names the
process that they are for. The environment variables reach the node with its own LISTEN_PID.
"""

from __future__ import annotations

import os
import stat

FIRST = 3  # SD_LISTEN_FDS_START
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
# What comes before a command whose process is the receiver: only that process knows its id before the command begins.
AS_RECEIVER = ("/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh")


def take_inherited_sockets() -> tuple[int, ...]:
    """Return the descriptors of the sockets that were passed to this process; () if none were.

    Variables that are for another process, or that name descriptors which are no sockets, are removed.
    """
    number = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and number.isdecimal():
        descriptors = tuple(range(FIRST, FIRST + int(number[:4])))
        if descriptors and all(map(_is_socket, descriptors)):
            os.environ.pop("LISTEN_PIDFDID", None)  # the id of this process, which the node's would differ from
            return descriptors
    for name in VARIABLES:
        os.environ.pop(name, None)
    return ()


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False

"""The setup of the gateway's OS process: limits, signals, and the seed of the C library's random numbers."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from contextlib import suppress

from .limits import GatewayLimits


def ignore_signals() -> None:
    """Ignore the signals that a terminal or a service manager sends to all processes of the node at once.

    The gateway must still send the node's last replies. It ends when the node closes the socket between the two
    processes.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def limit_process(limits: GatewayLimits) -> None:
    """Limit this process's memory and descriptors, and disable its core file, which would contain keys."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.max_memory),
        (resource.RLIMIT_NOFILE, limits.max_descriptors),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):  # macOS limits no address space
            resource.setrlimit(kind, (allowed, allowed))


def seed_c_random() -> None:
    """Seed the C library's `rand`, from which libzmq takes the first routing id that it assigns.

    libzmq never seeds `rand`, and increments the id for each connection. Without this seed, the ids would be the same
    in each process. A client could then guess and choose the id that libzmq will assign next, and libzmq would abort
    the process. `ctypes` only calls a function of the C library here; nothing in the interpreter is changed.
    """
    ctypes.CDLL(None).srand(ctypes.c_uint(int.from_bytes(os.urandom(4), "little")))

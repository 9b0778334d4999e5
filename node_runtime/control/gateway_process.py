"""The gateway's OS process, as its node starts and ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import weakref
from contextlib import suppress
from typing import Final

from node_runtime.code.verified_imports import release_command

GATEWAY: Final = "node_runtime.control.gateway.gateway"
END_SECONDS: Final = 2.0
"""Seconds that the gateway has to end by itself when the node stops it."""
PASSED_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""The environment variables that the gateway gets. Other variables may contain secrets of the applications."""
MAX_MEMORY_ARENAS: Final = "2"
"""The number of arenas of the C library's allocator. Each reserves address space, which the gateway's limit counts."""


class GatewayProcess:
    """A started gateway. `connection` is the node's end of the seam."""

    def __init__(self) -> None:
        """Start the process. Raises OSError if the machine can't start one."""
        self.connection, other = socket.socketpair()
        _open_seams.add(self.connection)
        try:
            with other:
                self._process = subprocess.Popen(
                    release_command(GATEWAY, str(other.fileno())),
                    cwd="/",
                    env={
                        "MALLOC_ARENA_MAX": MAX_MEMORY_ARENAS,
                        **{name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ},
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(other.fileno(),),
                )
        except OSError:
            self.connection.close()
            raise

    @property
    def pid(self) -> int:
        """The pid of the gateway."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def wait(self) -> str:
        """Wait until the process ends, kill it after `END_SECONDS`, and return a clause that says how it ended."""
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self.connection.close()
        if code >= 0:
            return f"with exit code {code}"
        with suppress(ValueError):
            return f"by signal {signal.Signals(-code).name}"
        return f"by signal {-code}"

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()


_open_seams: Final[weakref.WeakSet[socket.socket]] = weakref.WeakSet()


def _close_seams() -> None:
    """Close the seams in a forked child. An open seam would keep the gateway alive after the node's end."""
    for connection in list(_open_seams):
        connection.close()


os.register_at_fork(after_in_child=_close_seams)

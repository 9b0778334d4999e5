"""The limits of the OS processes that read a tarball or its files, which may be malicious."""

from __future__ import annotations

import os
import resource
import threading
import time
from typing import Final

from node_runtime.releases.files.tarball_limits import MAX_TOTAL_BYTES

MAX_MEMORY_BYTES: Final = 1 << 30
"""The limit of the process's address space. A large release needs about a tenth of it."""
MAX_OPEN_FILES: Final = 64
CPU_GRACE_SECONDS: Final = 1
"""The process gets SIGXCPU at its limit of processor time, and SIGKILL so many seconds later.

If both limits were equal, Linux would send only SIGKILL, as it does when memory is short.
"""
ORPHAN_POLL_SECONDS: Final = 0.2
STACK_BYTES: Final = 256 << 10
"""The stack size of threads: the whole stack counts as address space."""


def limit_process(cpu_seconds: int, parent: int) -> None:
    """Limit the memory, files and processor time of this process, and end it when the process `parent` has ended."""
    for kind, limit, grace in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES, 0),
        (resource.RLIMIT_FSIZE, MAX_TOTAL_BYTES, 0),
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES, 0),
        (resource.RLIMIT_CPU, cpu_seconds, CPU_GRACE_SECONDS),
    ):
        _, hard = resource.getrlimit(kind)
        soft, most = (one if hard == resource.RLIM_INFINITY else min(one, hard) for one in (limit, limit + grace))
        resource.setrlimit(kind, (soft, most))
    threading.stack_size(STACK_BYTES)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Wait until `parent` has ended, then end this process, because no process waits for its report any more."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_POLL_SECONDS)
    os._exit(1)

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
ORPHAN_POLL_SECONDS: Final = 0.2
STACK_BYTES: Final = 256 << 10
"""The stack size of threads: the whole stack counts as address space."""


def limit_process(cpu_seconds: int, parent: int) -> None:
    """Limit the memory, files and processor time of this process, and end it when the process `parent` has ended."""
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_FSIZE, MAX_TOTAL_BYTES),
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_seconds),
    ):
        _, hard = resource.getrlimit(kind)
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))
    threading.stack_size(STACK_BYTES)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Wait until `parent` has ended, then end this process, because no process waits for its report any more."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_POLL_SECONDS)
    os._exit(1)

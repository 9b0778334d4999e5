"""The oldest Python that a node runs on, and the minimum patch levels: versions below them have known faults."""

from __future__ import annotations

import sys

import msgspec

OLDEST_PYTHON = (3, 11)
"""The oldest minor version of Python that can run a node."""


class PythonFault(msgspec.Struct, frozen=True):
    """A published fault in a module of one minor version of Python, and the patch level that corrects the fault."""

    mended_in: int
    cve: str
    module: str


_TAR_ESCAPE = "CVE-2025-4517"
_TAR_LOOP = "CVE-2025-8194"
_ASYNCIO_WRITES = "CVE-2024-12254"

FAULTS: dict[tuple[int, int], tuple[PythonFault, ...]] = {
    (3, 11): (
        PythonFault(5, "CVE-2023-40217", "ssl"),
        PythonFault(8, "CVE-2023-6597", "tempfile"),
        PythonFault(13, _TAR_ESCAPE, "tarfile"),
        PythonFault(14, _TAR_LOOP, "tarfile"),
    ),
    (3, 12): (
        PythonFault(9, _ASYNCIO_WRITES, "asyncio"),
        PythonFault(11, _TAR_ESCAPE, "tarfile"),
        PythonFault(12, _TAR_LOOP, "tarfile"),
    ),
    (3, 13): (
        PythonFault(2, _ASYNCIO_WRITES, "asyncio"),
        PythonFault(4, _TAR_ESCAPE, "tarfile"),
        PythonFault(6, _TAR_LOOP, "tarfile"),
    ),
}
"""The faults by minor version of Python, oldest first. New faults are added by hand.

The last fault of a version sets its minimum patch level.
"""


def is_too_old(python: str) -> bool:
    """Return whether a version of Python, such as "3.11", is too old for every node."""
    return tuple(int(number) for number in python.split(".") if number) < OLDEST_PYTHON


def python_warning(version: tuple[int, int, int] = sys.version_info[:3]) -> str | None:
    """Return a sentence about the known faults of a Python; None if there are none.

    This is only a warning, because a Linux distribution may have corrected the faults without a new patch level.
    """
    found = [fault for fault in FAULTS.get(version[:2], ()) if version[2] < fault.mended_in]
    if not found:
        return None
    major, minor, patch = version
    named = ", ".join(f"{fault.cve} in {fault.module}" for fault in found)
    return (
        f"Python {major}.{minor}.{patch} has known faults ({named}); "
        f"update it to {major}.{minor}.{found[-1].mended_in} or newer, "
        f"unless your distribution has backported the fixes."
    )

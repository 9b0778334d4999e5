"""The Python that a release needs, which may be another one than that of this process."""

from __future__ import annotations

import shutil
import subprocess
import sys

from .node_directory import PYTHON, LauncherError

_SHOW_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def find_interpreter(vsn: str, wanted: str) -> str:
    """Return the path of the Python `wanted`, such as "3.12", for release `vsn`. Raises LauncherError."""
    if wanted == PYTHON:
        return sys.executable
    found = shutil.which(f"python{wanted}")
    probe = (found or "", "-I", "-S", "-c", _SHOW_VERSION)
    if found is None or subprocess.run(probe, capture_output=True, text=True, check=False).stdout.strip() != wanted:
        raise LauncherError(f"Release {vsn} needs Python {wanted}; install python{wanted} on PATH.")
    return found

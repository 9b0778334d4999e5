"""The handler of the method that returns the source of a module's versions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from node_runtime.code import current as current_code_server
from node_runtime.protocol import messages as m
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import Refused

if TYPE_CHECKING:
    from node_runtime.code.version import Version
    from node_runtime.control.dispatch import Caller

MAX_SOURCE_CHARACTERS: Final = 400_000
"""A longer source is cut."""


def module_source(caller: Caller, request: m.GetSource) -> m.ModuleSource:
    """Return the sources of a module's versions, as they are on the disk. Reads files: call it in a worker thread."""
    managed = current_code_server().modules.get(request.module)
    if managed is None or managed.current is None:
        raise Refused(f"The node has not loaded a module {clip(request.module, MAX_SHOWN_NAME)}.")
    current, drift = _read(managed.current)
    old = None if managed.old is None else _read(managed.old)[0]
    return m.ModuleSource(module=managed.name, current=current, old=old, drift=drift)


def _read(version: Version) -> tuple[str, str]:
    """Return the text of a version's file, and a sentence if the loaded code differs from the file, else ""."""
    try:
        data = version.unit.source.read_unverified()
    except OSError as error:
        return "", f"The file of the loaded code can't be read: {error.strerror}: {version.path}."
    differs = hashlib.sha256(data).hexdigest() != version.sha256
    drift = f"The loaded code differs from its file {version.path}." if differs else ""
    return data.decode("utf-8", "replace")[:MAX_SOURCE_CHARACTERS], drift

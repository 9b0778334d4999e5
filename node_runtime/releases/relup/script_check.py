"""Checks a script as OTP's systools does, and also that each code_change has a suspend."""

from __future__ import annotations

from collections.abc import Iterable

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.relup_instructions import RelupInstruction

from .script_modules import script_modules


def check_script(script: Iterable[RelupInstruction]) -> None:
    """Raise `Refused` for the first mistake in a script."""
    modules = script_modules(script)
    read = set(modules.read)
    for module in modules.loaded:
        if module not in read:
            raise Refused(
                f"the script loads {module}, but no load_object_code instruction reads its code; add {module} to one."
            )
    suspended = {entry.module for entry in modules.suspended}
    for begin, end, begun, ended in (
        ("suspend", "resume", suspended, set(modules.resumed)),
        ("stop", "start", set(modules.stopped), set(modules.started)),
    ):
        if odd := sorted(begun ^ ended):
            has, lacks = (begin, end) if odd[0] in begun else (end, begin)
            raise Refused(
                f'the script has the instruction "{has}" for {odd[0]}, but not the instruction "{lacks}": each module '
                f"needs both or neither."
            )
    if running := sorted(set(modules.migrated) - suspended):
        raise Refused(
            f"the script calls code_change for {running[0]}, but no instruction suspends the processes of {running[0]}."
        )

"""Checks the instructions of a script as OTP's systools does. Also checks that each code_change has a suspend."""

from __future__ import annotations

from collections.abc import Iterable

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.relup_instructions import RelupInstruction

from .script_modules import script_modules


def check_low_level(written: Iterable[RelupInstruction]) -> None:
    """Raise `Refused` for the first mistake in `written`, the low-level instructions that the appups contain.

    These instructions must be complete by themselves: instructions that are translated from high-level ones don't
    count.
    """
    modules = script_modules(written)
    read = set(modules.read)
    for module in modules.loaded:
        if module not in read:
            raise Refused(
                f"the script loads {module}, but no load_object_code instruction reads its code; add {module} to one."
            )
    for begin, end, begun, ended in (
        ("suspend", "resume", {entry.module for entry in modules.suspended}, set(modules.resumed)),
        ("stop", "start", set(modules.stopped), set(modules.started)),
    ):
        if odd := sorted(begun ^ ended):
            has, lacks = (begin, end) if odd[0] in begun else (end, begin)
            raise Refused(
                f'the script has the instruction "{has}" for {odd[0]}, but not the instruction "{lacks}": each module '
                f"needs both or neither."
            )


def check_suspended(script: Iterable[RelupInstruction]) -> None:
    """Raise `Refused` if a script calls code_change for a module whose processes it doesn't suspend."""
    modules = script_modules(script)
    if running := sorted(set(modules.migrated) - {entry.module for entry in modules.suspended}):
        raise Refused(
            f"the script calls code_change for {running[0]}, but no instruction suspends the processes of "
            f"{running[0]}; add a suspend and a resume to the appup."
        )

"""Checks of a translated script: those of OTP's systools, and that only suspended processes are migrated."""

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
            raise Refused(f"{module} is loaded, but no load_object_code reads it.")
    suspended = {entry.module for entry in modules.suspended}
    for begin, end, begun, ended in (
        ("suspend", "resume", suspended, set(modules.resumed)),
        ("stop", "start", set(modules.stopped), set(modules.started)),
    ):
        if odd := sorted(begun ^ ended):
            raise Refused(f"the script must {begin} and {end} the same modules, but only one of the two has {odd[0]}.")
    if running := sorted(set(modules.migrated) - suspended):
        raise Refused(f"the script migrates {running[0]}, but no instruction suspends its processes.")

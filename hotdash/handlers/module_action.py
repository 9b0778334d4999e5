"""The action that shows a module: its source, and the processes that run its old version, with their stacks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hotdash.screens.module import ModuleScreen
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused

if TYPE_CHECKING:
    from hotdash.app import HotdashApp

MAX_STACKS: Final = 5
"""The maximum number of processes whose stacks are read."""


async def open_module(app: HotdashApp) -> None:
    """Open the screen of the selected module."""
    name = app.selected().module
    if name is None:
        app.show_toast("Select a module first.", bad=True)
        return
    source = await app.link.request(methods.SOURCE, m.GetSource(module=name))
    snapshot = app.node.snapshot
    module = next((one for one in snapshot.modules if one.name == name), None) if snapshot is not None else None
    states: list[m.StateView] = []
    for pid in module.old_pids[:MAX_STACKS] if module is not None else ():
        with suppress(Refused):  # it has ended
            states.append(await app.link.request(methods.STATE, m.GetState(pid=pid)))
    await app.push_screen(ModuleScreen(source, tuple(states)))

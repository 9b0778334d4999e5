"""The colour state machine: olive, green, lime, and olive again.

Each colour stays for `cycle_time` seconds. Then the machine gets a message that it has sent to
itself, and spawns a linked helper process. The helper calls the machine to request the step, as any
other process could.
"""

from __future__ import annotations

import logging
from typing import TypedDict

from node_runtime import (
    EXIT,
    Call,
    Event,
    GenStatem,
    Info,
    Next,
    Pid,
    gen_statem,
    keep,
    self_pid,
    send_after,
    spawn_link,
    sys,
    trap_exit,
)
from node_runtime.application import get_env

NAME = "fil_color_fsm"

logger = logging.getLogger(__name__)


class Data(TypedDict):
    """The machine's data besides its state: nothing yet. It is a plain dict, which any version can read."""


async def start_link() -> Pid:
    """Start the machine under its name."""
    return await gen_statem.start_link(ColorFsm, name=NAME)


async def which() -> str:
    """Return the present colour, read from the live machine."""
    color, _data = await sys.get_state(NAME, timeout=1.0)
    return str(color)


class ColorFsm(GenStatem[Data]):
    """Has one method for each colour. The method names the next colour."""

    def init(self) -> tuple[str, Data]:
        trap_exit()
        notify()
        return "olive", Data()

    def olive(self, event: Event) -> Next:
        return self._turn(event, "green")

    def green(self, event: Event) -> Next:
        return self._turn(event, "lime")

    def lime(self, event: Event) -> Next:
        return self._turn(event, "olive")

    def _turn(self, event: Event, following: str) -> Next:
        match event:
            case Info("self_notify"):
                spawn_link(step)
            case Call("step"):
                notify()
                return Next(following, reply="ok")
            case Info(EXIT(reason="normal")):
                pass  # a helper has done its work
            case Info(EXIT(pid=pid, reason=reason)):
                logger.warning("a helper, %s, ended with %s", pid, reason)
        return keep


def notify() -> None:
    """Send the calling process a message when the present colour has stayed for its time."""
    send_after(get_env("fil", "cycle_time"), self_pid(), "self_notify")


async def step() -> None:
    """Request a step. The helper runs this, and waits while an upgrade holds the machine."""
    await gen_statem.call(NAME, "step", timeout=None)

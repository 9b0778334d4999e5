"""Type checker cases for state machines. Comments give the revealed types and the expected errors."""

from __future__ import annotations

from typing import Any, reveal_type

from node_runtime import (
    Call,
    Cast,
    Down,
    Enter,
    Event,
    From,
    GenStatem,
    Info,
    Internal,
    Next,
    Pid,
    Timeout,
    Vsn,
    gen_statem,
    keep,
    reply,
)


class Door(GenStatem[list[str]]):
    def init(self, code: str) -> tuple[str, list[str]]:
        return "locked", [code]

    def locked(self, event: Event) -> Next:
        reveal_type(self.data)  # reveals: list[str]
        match event:
            case Call(request, from_):
                reveal_type(from_)  # reveals: From[Any]
                return Next("open", reply=request, replies=((from_, 1),), timeouts=(Timeout("t", 1.0),))
            case Timeout(name):
                reveal_type(name)  # reveals: str
                return Next(timeouts=(Timeout("a", None), Timeout("b", "same", content=1), Timeout("c", 0, event=True)))
            case Cast() | Info() | Internal():
                return Next(events=(Internal(1), event), postpone=True)
            case Enter():
                return keep

    def open(self, event: Event) -> Next:
        self.data = 3  # error
        return "locked"  # error

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: tuple[Any, Any], extra: Any) -> tuple[str, list[str]]:
        return "locked", []


class OneForAll(GenStatem[int]):
    callback_mode = "handle_event_function"

    def handle_event(self, event: Event, state: tuple[str, int]) -> Next:
        return Next(state=("count", state[1] + 1))


class Sideways(GenStatem[int]):
    callback_mode = "sideways"  # error


def misuse(from_: From[int]) -> None:
    Next(timeouts=Timeout("t", 1.0))  # error
    Next(timeouts=(("t", 1.0),))  # error
    Next(events=(Enter("a"),))  # error
    Next(postpone="yes")  # error
    Timeout("t", "later")  # error
    keep.state = "open"  # error
    reply(from_, "text")  # error


async def begin(pid: Pid) -> None:
    reveal_type(await gen_statem.start_link(Door, "1234", name="door"))  # reveals: Pid
    reveal_type(await gen_statem.call(pid, ("digit", 1), timeout=None))  # reveals: Any
    gen_statem.cast(pid, "push")
    await gen_statem.start(Event)  # error

"""Type checker cases for calls to servers. Comments give the revealed types and the expected errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, reveal_type

from node_runtime import Down, From, GenServer, Pid, Vsn, call, call_now, call_within, cast, deferred, gen_server, reply


@dataclass(slots=True)
class State:
    count: int = 0
    waiting: list[From[bytes]] = field(default_factory=list)


class Counter(GenServer[State]):
    def init(self, start: int = 0) -> State:
        return State(start)

    def add(self, by: int, *, times: int = 1) -> str:
        reveal_type(self.state.count)  # reveals: int
        return ""

    async def slow(self, word: str = "") -> list[int]:
        return []

    def nothing(self) -> None: ...

    @deferred
    def take(self, from_: From[bytes], size: int) -> None:
        self.state.waiting.append(from_)

    @deferred
    async def take_later(self, from_: From[bytes]) -> None:
        reply(from_, b"")

    def bake(self) -> None:
        reply(self.state.waiting.pop(), b"bread")
        reply(self.state.waiting.pop(), "bread")  # error

    @deferred  # error
    def wrong(self, from_: From[bytes]) -> int:
        return 1

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: Any, extra: Any) -> State:
        return State()


class Special(Counter):
    def add(self, by: int, *, times: int = 1, extra: str = "") -> str:
        return extra


async def use(pid: Pid) -> None:
    reveal_type(await call(pid, Counter.add, 3))  # reveals: str
    reveal_type(await call("counter", Counter.add, 3, times=2))  # reveals: str
    reveal_type(await call(pid, Counter.slow))  # reveals: list[int]
    reveal_type(await call(pid, Counter.slow, word="x"))  # reveals: list[int]
    reveal_type(await call(pid, Counter.take, 3))  # reveals: bytes
    reveal_type(await call(pid, Counter.take_later))  # reveals: bytes
    reveal_type(await call_within(0.1, pid, Counter.slow))  # reveals: list[int]
    reveal_type(await call_within(None, pid, Counter.add, 1))  # reveals: str
    reveal_type(await call(pid, Special.add, 3, extra="x"))  # reveals: str
    await call(pid, Counter.nothing)
    cast(pid, Counter.nothing)
    cast("counter", Counter.slow, "word")
    cast(pid, Counter.take, 1)


async def misuse(pid: Pid) -> None:
    await call(pid, Counter.add, "three")  # error
    await call(pid, Counter.add)  # error
    await call(pid, Counter.add, 3, 4)  # error
    await call(pid, Counter.add, 3, often=2)  # error
    await call(pid, Counter.take)  # error
    await call(pid, Counter.take, b"")  # error
    await call(1.5, Counter.add, 3)  # error
    await call(pid, "add", 3)  # error
    await call_within("soon", pid, Counter.add, 3)  # error
    await call_within(1, pid, Counter.add, "three")  # error
    cast(pid, Counter.add, "three")  # error
    cast(pid, Counter.add, 3, 4)  # error


def plain(pid: Pid) -> None:
    reveal_type(call_now(pid, Counter.add, 3))  # reveals: str
    call_now(pid, Counter.add, "three")  # error
    call_now(pid, Counter.add, 3, often=2)  # error


def plain_asks_async(pid: Pid) -> None:
    reveal_type(call_now(pid, Counter.slow))  # reveals: Never


async def begin() -> None:
    reveal_type(await gen_server.start_link(Counter, 3, name="counter"))  # reveals: Pid
    await gen_server.start_link(State)  # error
    await gen_server.start(Counter, name=3)  # error
    gen_server.idle_timeout("soon")  # error

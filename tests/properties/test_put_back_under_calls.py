"""Random scripts that wait and may fail, with requests at every instant: nothing runs between the switch and the end.

A shop has a server for each way in which a script can concern one: its module is loaded, loaded together with a
code_change, removed after or before its process is stopped, or not concerned at all. The module of a state machine is
loaded. Every request has a number, which its server writes into its state. The reply is the version that handled it.
"""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_runtime import Exit, NoProcess, Pid, Runtime, call, cast, gen_statem, runtime, supervisor, whereis
from node_runtime.behaviours.upgrade import live_processes
from tests.support.hypothesis_profiles import PROFILE, quiet, with_runtime
from tests.support.nodes.small_node import SmallNode
from tests.support.projects.small_shop import ONLY_LIVE

__all__ = ["quiet"]

SERVER: Final = """
import asyncio
from node_runtime import GenServer, gen_server

class Server(GenServer[list]):
    def init(self):
        return []

    def serve(self, number):
        self.state.append(number)
        return VERSION

    async def slow(self, number, turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        self.state.append(number)
        return VERSION

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return list(state)

async def start():
    return await gen_server.start_link(Server, name="NAME")
"""

MACHINE: Final = """
from node_runtime import Call, GenStatem, Next, gen_statem, keep

class Machine(GenStatem[list]):
    def init(self):
        return "on", []

    def on(self, event):
        self.data.append(event.request if isinstance(event, Call) else event.message)
        return Next(reply=VERSION) if isinstance(event, Call) else keep

async def start():
    return await gen_statem.start_link(Machine, name="machine")
"""

TOP: Final = """
from node_runtime import ChildSpec, Supervisor

class Top(Supervisor):
    intensity = 0

    def children(self):
        return [ChildSpec(name, start=f"shop.{name}:start") for name in NAMES]
"""

STEPS: Final = (
    ONLY_LIVE
    + """
import asyncio

async def breathe(turns):
    for _ in range(turns):
        await asyncio.sleep(0)

def fail():
    if live():
        raise RuntimeError("on purpose")
"""
)

NAMES: Final = ("loaded", "changed", "stopped", "gone", "untouched", "machine")
GONE: Final = ("stopped", "gone")
"""The servers that release 2 lacks: the script stops one before and one after it removes the module."""


def terminate(name: str) -> str:
    return f'{{ apply = "node_runtime.supervisor:terminate_child", args = ["top", "{name}"] }}'


def breathe(turns: int) -> str:
    return f'{{ apply = "shop.steps:breathe", args = [{turns}] }}'


CHANGES: Final[tuple[tuple[str, ...], ...]] = (
    ('{ load_module = "shop.loaded" }',),
    ('{ update = "shop.changed", change = "advanced" }',),
    (terminate("stopped"), '{ delete_module = "shop.stopped" }'),
    ('{ delete_module = "shop.gone" }', terminate("gone")),
    ('{ load_module = "shop.machine" }',),
    ('{ apply = "node_runtime.supervisor:delete_child", args = ["top", "stopped"] }',),
    ('{ update = "shop.top", type = "supervisor" }',),
)
"""Groups of instructions. The instructions of a group stay in this order, as do the second last and the third group."""


@dataclass(frozen=True)
class Script:
    """A script: for each change, its place and the turns that the script waits after it; and where it fails."""

    places: tuple[float, ...]
    pauses: tuple[int, ...]
    fails_at: int | None

    def instructions(self) -> list[str]:
        """The instructions in order."""
        steps = [
            step
            for at, group in sorted(zip(self.places, CHANGES, strict=True))
            for step in group
            if "delete_child" not in step
        ]
        out = []
        for number, step in enumerate(steps):
            if number == self.fails_at:
                out.append('{ apply = "shop.steps:fail" }')
            out.append(step)
            if turns := self.pauses[number % len(self.pauses)]:
                out.append(breathe(turns))
        return out if self.fails_at is None or self.fails_at < len(steps) else [*out, '{ apply = "shop.steps:fail" }']


@dataclass
class Requests:
    """Sends requests in each turn of the event loop, the pattern again and again, and records the replies."""

    pattern: Sequence[tuple[str, str]]
    sent: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in NAMES})
    replies: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    lost: list[str] = field(default_factory=list)
    asking: list[asyncio.Task[None]] = field(default_factory=list)
    over: bool = False

    async def send(self) -> None:
        number = 0
        while not self.over:
            name, kind = self.pattern[number % len(self.pattern)]
            number += 1
            self.sent[name].append(number)
            if kind == "cast":
                (gen_statem.cast if name == "machine" else cast_serve)(name, number)
            else:
                self.asking.append(asyncio.create_task(self.ask(name, kind, number)))
            if number % 2:
                await asyncio.sleep(0)
        await asyncio.gather(*self.asking)

    async def ask(self, name: str, kind: str, number: int) -> None:
        try:
            if name == "machine":
                version = await gen_statem.call(name, number)
            elif kind == "slow":
                version = await call(name, slow, number, 3)
            else:
                version = await call(name, serve, number)
        except (Exit, NoProcess):
            self.lost.append(name)
        else:
            self.replies[name].append(version if kind != "slow" else f"slow {version}")


def serve(_self: object, number: int) -> str:
    raise NotImplementedError(number)


def slow(_self: object, number: int, turns: int) -> str:
    raise NotImplementedError(number, turns)


def cast_serve(name: str, number: int) -> None:
    cast(name, serve, number)


SCRIPTS: Final = st.builds(
    Script,
    st.tuples(*[st.floats(0, 1, width=16) for _ in CHANGES]),
    st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple),
    st.none() | st.integers(0, 9),
)
PATTERNS: Final = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(("call", "call", "cast", "slow"))), min_size=1, max_size=12
)


def modules(vsn: str) -> dict[str, str]:
    names = [name for name in NAMES if vsn == "1" or name not in GONE]
    version = f'VERSION = "{vsn}"\n'
    texts = {f"shop.{name}": version + SERVER.replace("NAME", name) for name in names if name != "machine"}
    texts["shop.untouched"] = 'VERSION = "1"\n' + SERVER.replace("NAME", "untouched")
    texts["shop.machine"] = version + MACHINE
    texts["shop.top"] = TOP.replace("NAMES", repr(names))
    texts["shop.steps"] = STEPS
    return texts


def state_of(name: str) -> Any:
    state = live_processes.raw_state(whereis(name) or Pid(0))
    return state[1] if name == "machine" else state


async def upgrade(script: Script, pattern: Sequence[tuple[str, str]], root: Path) -> None:
    small = SmallNode(root)
    small.write("1", modules("1"))
    steps = ",\n".join(script.instructions())
    small.write("2", modules("2"), f'[[up]]\nfrom = "1"\ninstructions = [\n{steps}\n]\n')
    small.boot()
    halts: list[object] = []
    runtime().on_halt = halts.append
    try:
        top = await supervisor.start_link(importlib.import_module("shop.top").Top, name="top")
        pids, states = {name: whereis(name) for name in NAMES}, {name: state_of(name) for name in NAMES}
        requests = Requests(pattern)
        sending = asyncio.create_task(requests.send())
        operation = await small.install("2")
        requests.over = True
        await sending
        assert (halts, whereis("top")) == ([], top), operation.error
        if script.fails_at is None:
            assert (operation.outcome, operation.error) == ("installed", None)
            check_installed(requests)
        else:
            assert (operation.outcome, "on purpose" in str(operation.error)) == ("put back", True), operation.error
            check_put_back(requests, pids, states)
    finally:
        await small.handler.stop()
        small.code.uninstall()


def check_put_back(requests: Requests, pids: dict[str, Pid | None], states: dict[str, Any]) -> None:
    assert requests.lost == []
    for name in NAMES:
        assert whereis(name) == pids[name]
        assert state_of(name) is states[name]
        assert sorted(states[name]) == requests.sent[name], name
        assert {reply[-1] for reply in requests.replies[name]} <= {"1"}, name


def check_installed(requests: Requests) -> None:
    assert set(requests.lost) <= set(GONE)
    for name in NAMES:
        told = [reply for reply in requests.replies[name] if not reply.startswith("slow")]
        assert told == sorted(told), name
        if name in GONE:
            assert {reply[-1] for reply in requests.replies[name]} <= {"1"}
            assert whereis(name) is None
        else:
            assert sorted(state_of(name)) == requests.sent[name], name


@pytest.mark.filterwarnings("error")
@settings(PROFILE, max_examples=max(12, PROFILE.max_examples // 12))
@given(SCRIPTS, PATTERNS, st.booleans())
def test_an_install_that_is_put_back_has_answered_nobody(
    script: Script, pattern: Sequence[tuple[str, str]], inline: bool
) -> None:
    async def run(_runtime: Runtime) -> None:
        with tempfile.TemporaryDirectory() as folder:
            await upgrade(script, pattern, Path(folder))

    with_runtime(inline, run)

"""node.toml chooses the event loop."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from node_runtime.cli.event_loops import THREAD_SWITCH_SECONDS, check_loop, loop_factory, run
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.schemas import NodeConfig

FORKING = """
import asyncio, os, sys
from node_runtime.cli.event_loops import loop_factory, run
from node_runtime.releases.files.schemas import NodeConfig

async def main():
    asyncio.get_running_loop().call_soon(print_end)
    child.append(os.fork())
    await asyncio.sleep(0)
    return "goes on"

def print_end():
    print("the child ended with", os.waitstatus_to_exitcode(os.waitpid(child[0], 0)[1]), flush=True)

child = []
with asyncio.Runner(loop_factory=loop_factory(NodeConfig(name="n@h", loop=sys.argv[1]))) as runner:
    print("the node", run(runner.get_loop(), main()))
"""


def test_a_node_runs_on_asyncios_own_loop_by_default() -> None:
    assert loop_factory(NodeConfig(name="fil@127.0.0.1")) is None


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
def test_uvloop_is_used_when_it_is_asked_for() -> None:
    node = NodeConfig(name="fil@127.0.0.1", loop="uvloop")
    check_loop(node, "1986.a")
    make = loop_factory(node)
    assert make is not None
    with asyncio.Runner(loop_factory=make) as runner:
        assert type(runner.get_loop()).__module__ == "uvloop"


def test_a_release_without_the_loop_that_is_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    node = NodeConfig(name="fil@127.0.0.1", loop="uvloop")
    assert loop_factory(node) is None
    with pytest.raises(Refused, match=r"release 1986\.a has no uvloop; add uvloop to its requirements"):
        check_loop(node, "1986.a")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_fork_that_returns_to_the_loop_ends_there(loop: str) -> None:
    if importlib.util.find_spec(loop) is None:
        pytest.skip(f"{loop} is not installed")
    ended = subprocess.run(
        [sys.executable, "-c", FORKING, loop], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout == "the child ended with 1\nthe node goes on\n", ended.stderr
    assert "has returned to the node's event loop, so it ends" in ended.stderr


@pytest.mark.parametrize(("before", "after"), [(0.005, THREAD_SWITCH_SECONDS), (0.000125, 0.000125)])
def test_threads_that_compute_take_short_turns(before: float, after: float) -> None:
    async def interval() -> float:
        return sys.getswitchinterval()

    sys.setswitchinterval(before)
    with asyncio.Runner() as runner:
        assert run(runner.get_loop(), interval()) == pytest.approx(after, abs=1e-6)


async def _leave_by_exit() -> None:
    raise SystemExit(3)


async def _leave_by_interrupt() -> None:
    raise KeyboardInterrupt


async def _leave_by_stop() -> None:
    asyncio.get_running_loop().stop()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("leave", [_leave_by_exit, _leave_by_interrupt, _leave_by_stop])
def test_a_task_that_raises_a_base_exception_ends_only_itself(
    loop: str, leave: Callable[[], Coroutine[Any, Any, None]], caplog: pytest.LogCaptureFixture
) -> None:
    if importlib.util.find_spec(loop) is None:
        pytest.skip(f"{loop} is not installed")
    done: list[int] = []

    async def bystander() -> None:
        for number in range(3):
            await asyncio.sleep(0)
            done.append(number)

    async def main() -> str:
        await asyncio.wait([asyncio.create_task(bystander()), *(asyncio.create_task(leave()) for _ in range(2))])
        return "ended in order"

    with asyncio.Runner(loop_factory=loop_factory(NodeConfig(name="fil@127.0.0.1", loop=loop))) as runner:  # type: ignore[arg-type]  # one of the two
        assert run(runner.get_loop(), main()) == "ended in order"
    assert done == [0, 1, 2]
    assert "outside of all processes tried to end the event loop" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("broken")])
def test_an_exception_of_the_main_task_is_raised(error: BaseException) -> None:
    async def main() -> None:
        raise error

    with asyncio.Runner() as runner, pytest.raises(type(error)) as raised:
        run(runner.get_loop(), main())
    assert raised.value is error

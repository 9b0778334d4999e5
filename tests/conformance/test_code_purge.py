"""OTP's code_SUITE on old code: the results of purge, soft_purge and delete, and the processes that they kill.

docs/otp-differences.md lists the differences from OTP.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import Pid, Runtime, is_alive, processes, spawn
from node_runtime.code import OldVersionHeld
from tests.support.waiting import eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

MODULE = """
N = {n}
async def wait(gate):
    await gate.wait()
def version():
    return N
"""


@pytest.fixture
async def node() -> AsyncIterator[Runtime]:
    async with Runtime() as runtime:
        yield runtime


async def waiting(module: Any, gate: asyncio.Event, count: int) -> list[Pid]:
    """Spawn processes that wait in the current version of the module."""
    pids = [spawn(module.wait, gate) for _ in range(count)]
    await eventually(lambda: sum(task_waits(pid) for pid in pids) == count)
    return pids


def task_waits(pid: Pid) -> bool:
    return bool(processes.process_info(pid).awaiting)


# ---------------------------------------------------------------- purge


async def test_purge(app: App, node: Runtime) -> None:
    """It returns the killed processes: none if there is no old code or no process runs it."""
    assert app.server.purge("unknown") == []
    app.boot(m=MODULE.format(n=1))
    m = imported("m")
    gate = asyncio.Event()
    assert app.server.purge("m") == []
    (pid,) = await waiting(m, gate, 1)
    assert app.server.purge("m") == []
    app.load(m=MODULE.format(n=2))
    assert app.server.check_process_code(pid, "m")
    assert app.server.purge("m") == [pid]
    assert not is_alive(pid)
    await eventually(lambda: app.server.versions("m")[1] is None)
    assert app.server.purge("m") == []


async def test_purge_many_exits(app: App, node: Runtime) -> None:
    """Of two thousand processes only the thousand that run the module's old code are killed."""
    app.boot(m=MODULE.format(n=1), other=MODULE.format(n=1))
    m = imported("m")
    other = imported("other")
    gate = asyncio.Event()
    users, bystanders = await waiting(m, gate, 1000), await waiting(other, gate, 1000)
    app.load(m=MODULE.format(n=2))
    newcomers = await waiting(m, gate, 10)
    assert app.server.pids_running_old_code("m") == users
    assert app.server.purge("m") == users
    assert not any(is_alive(pid) for pid in users)
    assert all(is_alive(pid) for pid in (*bystanders, *newcomers))
    await eventually(lambda: app.server.versions("m")[1] is None)


async def test_a_process_may_purge_what_it_runs_itself(app: App, node: Runtime) -> None:
    app.boot(
        m="async def run(purge):\n    purge('m')\n    await forever()\nasync def forever():\n    raise SystemError\n"
    )
    m = imported("m")
    killed: list[int] = []
    gate = asyncio.Event()

    async def late(run: Callable[[Callable[[str], None]], Awaitable[None]]) -> None:
        await gate.wait()
        await run(lambda module: killed.extend(app.server.purge(module)))

    pid = spawn(late, m.run)
    app.load(m="X = 2\n")
    gate.set()
    await eventually(lambda: not is_alive(pid))
    assert killed == [pid]
    await eventually(lambda: not node.zombies)


# ---------------------------------------------------------------- soft_purge


async def test_soft_purge(app: App, node: Runtime) -> None:
    """True if there is no old code or nothing uses it; false, without effect, while something does."""
    assert app.server.soft_purge("unknown")
    app.boot(m=MODULE.format(n=1))
    m = imported("m")
    gate = asyncio.Event()
    assert app.server.soft_purge("m")
    (pid,) = await waiting(m, gate, 1)
    assert app.server.soft_purge("m")
    app.load(m=MODULE.format(n=2))
    old = app.server.versions("m")[1]
    assert not app.server.soft_purge("m")
    assert is_alive(pid)
    assert app.server.versions("m")[1] is old
    gate.set()
    await eventually(lambda: not is_alive(pid))
    assert app.server.soft_purge("m")
    assert app.server.versions("m")[1] is None


async def test_a_fun_counts_unlike_in_otp(app: App, node: Runtime) -> None:
    """In OTP, funs of a purged module fail when called. Here they work, so they hold the version."""
    app.boot(m=MODULE.format(n=1))
    m = imported("m")
    fun = m.version
    app.load(m=MODULE.format(n=2))
    assert not app.server.soft_purge("m")
    with pytest.raises(OldVersionHeld):
        app.prepare(m=MODULE.format(n=3))
    assert app.server.purge("m") == []
    assert app.server.versions("m")[1] is None
    assert (fun(), m.version()) == (1, 2)


# ---------------------------------------------------------------- delete


async def test_delete(app: App, node: Runtime) -> None:
    """The current code becomes old; without current code, or with old code in use, nothing happens."""
    assert not app.server.delete("unknown")
    app.boot(m=MODULE.format(n=1))
    m = imported("m")
    gate = asyncio.Event()
    (pid,) = await waiting(m, gate, 1)
    assert app.server.delete("m")
    assert app.server.versions("m")[0] is None
    assert "m" not in sys.modules
    assert app.server.check_process_code(pid, "m")
    assert not app.server.delete("m")
    assert app.server.purge("m") == [pid]
    await eventually(lambda: app.server.versions("m") == (None, None))


async def test_delete_is_refused_while_old_code_is_needed(app: App, node: Runtime) -> None:
    app.boot(m=MODULE.format(n=1))
    m = imported("m")
    await waiting(m, asyncio.Event(), 1)
    app.load(m=MODULE.format(n=2))
    with pytest.raises(OldVersionHeld):
        app.server.delete("m")
    assert m.version() == 2

"""Failures of a release on probation are counted by the runtime, whatever the release does to `logging`."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import application, cast, exit, whereis
from node_runtime.protocol import messages as m
from node_runtime.releases.release_handler import ReleaseHandler
from tests.support.matrix import matrix
from tests.support.projects.small_shop import LOAD_COUNTER
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

SERVER = """
import asyncio
from node_runtime import GenServer, gen_server

__vsn__ = "c{vsn}"
checks = []
gate = asyncio.Event()

async def start_link():
    return await gen_server.start_link(Counter, name="counter")

class Counter(GenServer[dict]):
    {init}

    def fall(self):
        raise ValueError("over the edge")
"""
QUICK_INIT = "def init(self):\n        return {}"
APP = """
from node_runtime import Application, ChildSpec, Supervisor, supervisor
from node_runtime.supervisor import BackOff
from shop import counter

class Top(Supervisor):
    strategy, intensity, period = "one_for_one", {intensity}, 60.0
    {back_off}

    def children(self):
        return [ChildSpec("counter", start="shop.counter:start_link")]

class Shop(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(Top, name="shop_sup")

    def health(self):
        counter.checks.append(True)
        return True
"""
LIMITS = "healthy = 0.1\nrestarts = 2\nerrors = 2\nlag = 30.0\n"
MANY = LIMITS.replace("= 2", "= 1000")


async def upgraded(
    small: SmallNode, limits: str, *, init: str = QUICK_INIT, body: str = "", intensity: int = 100, back_off: str = ""
) -> ReleaseHandler:
    """A node that runs release 2, on probation with these limits. `init` and `body` are of its counter."""
    app = APP.format(intensity=intensity, back_off=back_off)
    for vsn in "12":
        server = SERVER.format(vsn=vsn, init=init if vsn == "2" else QUICK_INIT) + body * (vsn == "2")
        modules = {"shop.counter": server, "shop.app": app}
        small.write(vsn, modules, LOAD_COUNTER * (vsn == "2"), mod="shop.app:Shop", probation=limits)
    handler = small.boot()
    await application.start("shop")
    await small.install("2")
    return handler


def health(handler: ReleaseHandler) -> m.Health | None:
    return next(release.health for release in handler.releases() if release.vsn == "2")


async def fall() -> None:
    """Let the counter crash."""
    before = whereis("counter")
    cast("counter", counter().Counter.fall)
    await eventually(lambda: whereis("counter") != before, what="the crash")


def counter() -> Any:
    return importlib.import_module("shop.counter")


async def reverted(handler: ReleaseHandler) -> str:
    """Wait for the node's return to release 1, and return why it went back."""
    await eventually(lambda: handler.operation().kind == "revert" and handler.operation().ended, what="the way back")
    return str(handler.operation().reason)


@pytest.fixture
def logging_kept() -> Iterator[None]:
    """Undo what a test does to `logging`."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(root.manager.loggerDict):  # dictConfig disables all that exist
        logging.getLogger(name).disabled = False
    logging.disable(logging.NOTSET)


SILENCING = {
    "disable": "import logging\nlogging.disable(logging.CRITICAL)\n",
    "disabled-logger": "import logging\nlogging.getLogger('node_runtime').disabled = True\n",
    "removed-handlers": "import logging\nlogging.getLogger().handlers.clear()\n",
    "dictConfig": "import logging.config\nlogging.config.dictConfig({'version': 1, 'root': {'handlers': []}})\n",
}


@pytest.mark.parametrize(("way", "lenient"), matrix(SILENCING, ["errors", "restarts"]))
async def test_crashes_and_restarts_count_whatever_the_release_does_to_logging(
    small: SmallNode, logging_kept: None, way: str, lenient: str
) -> None:
    handler = await upgraded(small, LIMITS.replace(f"{lenient} = 2", f"{lenient} = 1000"))
    exec(SILENCING[way])  # after the install, as a program does that configures its log late
    for _ in range(3):
        await fall()
    assert await reverted(handler) in {"3 restarts of processes (limit 2)", "3 errors and crashes (limit 2)"}


async def test_errors_that_the_release_logs_count_again_after_its_handlers_are_removed(
    small: SmallNode, logging_kept: None
) -> None:
    handler = await upgraded(small, LIMITS)
    logging.getLogger().handlers.clear()
    seen = len(counter().checks)
    await eventually(lambda: len(counter().checks) > seen + 1, what="the next check")
    for _ in range(3):
        logging.getLogger("shop").error("no bread")
    assert await reverted(handler) == "3 errors logged (limit 2)"


async def test_a_supervisor_that_gives_up_is_bad_health_at_once(small: SmallNode, logging_kept: None) -> None:
    handler = await upgraded(small, MANY, intensity=1)
    logging.disable(logging.CRITICAL)
    await fall()
    cast("counter", counter().Counter.fall)
    await eventually(lambda: whereis("shop_sup") is None, what="the end of the supervisor")
    why = await reverted(handler)
    assert re.fullmatch(
        r"shop_sup <\d+> shut down: restarting child 'counter' would make more than 1 restarts in 60 s", why
    )


async def test_an_application_that_ended_is_bad_health_at_once(small: SmallNode, logging_kept: None) -> None:
    handler = await upgraded(small, MANY)
    logging.disable(logging.CRITICAL)
    supervisor = whereis("shop_sup")
    assert supervisor is not None
    exit(supervisor, "kill")
    assert await reverted(handler) == "application shop ended: killed"


async def test_after_a_crash_health_needs_a_longer_quiet_time_than_the_crash_took(small: SmallNode) -> None:
    handler = await upgraded(small, MANY)
    await eventually(lambda: (found := health(handler)) and found.verdict == "good", what="the good health")
    await fall()
    await eventually(lambda: (found := health(handler)) and found.verdict == "unknown", what="the doubt")
    found = health(handler)
    assert found is not None
    needed = re.fullmatch(r"needs ([\d.]+) s without trouble", found.finding)
    assert needed is not None
    assert float(needed[1]) >= 0.2


@pytest.mark.parametrize(
    ("init", "back_off"),
    [
        pytest.param(QUICK_INIT, "back_off = BackOff(first=60.0, most=60.0)", id="waits-for-a-retry"),
        pytest.param("async def init(self):\n        await gate.wait()\n        return {}", "", id="hangs-in-its-init"),
    ],
)
async def test_while_a_child_is_down_health_is_not_good(small: SmallNode, init: str, back_off: str) -> None:
    handler = await upgraded(small, MANY, init=init, back_off=back_off)
    if back_off:
        await fall()
    cast("counter", counter().Counter.fall)
    await eventually(lambda: whereis("counter") is None or init != QUICK_INIT, what="the end of the child")
    began, seen = asyncio.get_running_loop().time(), len(counter().checks)
    await eventually(lambda: len(counter().checks) > seen + 10, what="more checks than good health needs")
    assert asyncio.get_running_loop().time() - began > 0.1
    found = health(handler)
    assert found is not None
    assert (found.verdict, handler.vsn) == ("unknown", "2")
    counter().gate.set()

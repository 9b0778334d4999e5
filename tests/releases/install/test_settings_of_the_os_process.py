"""Settings that belong to the whole OS process: an upgrade that fails restores them, and a plan names what changes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from node_runtime.code import OsProcessSettings
from tests.support.projects.small_shop import COUNTER, COUNTER_2, ONLY_LIVE, UPDATE_COUNTER

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

CHANGES = """
import asyncio, gc, logging, os, resource, signal, socket, sys, warnings

def change_everything():
    os.umask(0o017)
    sys.setrecursionlimit(4_321)
    sys.setswitchinterval(0.123)
    gc.set_threshold(7, 7, 7)
    logging.disable(5)
    socket.setdefaulttimeout(55)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    sys.path.append("/somewhere")
    sys.stderr = sys.stdout
    warnings.simplefilter("error", ResourceWarning)
    sys.excepthook = print
    if live():
        os.chdir("/")
        os.environ["HOTDASH_TEST"] = "1"
        os.environ.pop("HOTDASH_OLD")
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
"""
CHANGING = (
    ONLY_LIVE
    + CHANGES
    + COUNTER_2
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        change_everything()
        if live():
            raise ValueError("seven is right out")
        return dict(state)
"""
)
CLOSING = (
    ONLY_LIVE
    + COUNTER_2
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        for descriptor in range(3 * live()):
            os.close(descriptor)
        return dict(state)
"""
)


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOTDASH_OLD", "old")
    settings = OsProcessSettings()
    yield
    settings.put_back()


async def boot(small: SmallNode, second: str) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": second}, UPDATE_COUNTER)
    small.boot()
    await gen_server.start(importlib.import_module("shop.counter").Counter, name="counter7")


async def test_an_upgrade_that_fails_restores_the_settings_that_its_code_change_has_changed(small: SmallNode) -> None:
    await boot(small, CHANGING)
    before = OsProcessSettings()
    operation = await small.install("2")
    assert operation.outcome == "put back"
    assert operation.error is not None
    assert operation.error.endswith("ValueError: seven is right out")
    assert [change.name() for change in before.changes()] == []


async def test_descriptors_that_a_code_change_closes_are_open_again_after_the_install(small: SmallNode) -> None:
    files = [os.fstat(number).st_ino for number in range(3)]
    await boot(small, CLOSING)
    operation = await small.install("2")
    assert operation.outcome == "installed", operation.error
    assert [os.fstat(number).st_ino for number in range(3)] == files


async def test_a_plan_names_the_settings_that_a_code_change_changes(small: SmallNode) -> None:
    await boot(small, CHANGING)
    before = OsProcessSettings()
    plan = await small.handler.plan("2")
    assert plan.blockers == ()
    (warning,) = [one for one in plan.warnings if "settings of the whole OS process" in one]
    assert "the umask to 0o017, the recursion limit to 4321, " in warning
    assert warning.endswith("and 5 more. A downgrade does not restore them; an install that fails does.")
    assert before.changes() == []


async def test_a_plan_names_the_settings_that_a_body_changes(small: SmallNode) -> None:
    await boot(small, COUNTER + "\nimport os, sys\nos.umask(0o017)\nsys.setrecursionlimit(4_321)\n")
    found = [one for one in (await small.handler.plan("2")).warnings if "body" in one]
    assert found == [
        "The body of shop.counter changes the umask to 0o017; a revert does not undo this.",
        "The body of shop.counter changes the recursion limit to 4321; a revert does not undo this.",
    ]

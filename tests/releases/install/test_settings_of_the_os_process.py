"""Settings that belong to the whole OS process: an upgrade that fails restores them, and a plan names what changes."""

from __future__ import annotations

import contextvars
import decimal
import importlib
import os
import sys
from collections import UserDict
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
REUSING = CLOSING.replace("range(3 * live())", "[1] * live()").replace(
    "os.close(descriptor)", "os.close(1)\n            assert os.open(__file__, os.O_RDONLY) == 1"
)
APPLY_FIRST = UPDATE_COUNTER.replace("instructions = [", "instructions = [ APPLY,", 1)
WAITING_UNDO = APPLY_FIRST.replace("APPLY", '{ apply = "operator:pos", args = [0], undo = "asyncio:sleep" }')
WAITING_APPLY = APPLY_FIRST.replace("APPLY", '{ apply = "asyncio:sleep", args = [0] }')


class Stream:
    """A stream whose comparison fails."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("this must not be called")


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOTDASH_OLD", "old")
    settings = OsProcessSettings()
    yield
    settings.put_back()


async def boot(small: SmallNode, second: str, script: str = UPDATE_COUNTER) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": second}, script)
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


async def test_settings_are_restored_although_the_undo_of_an_applied_function_waits(small: SmallNode) -> None:
    await boot(small, CHANGING, WAITING_UNDO)
    before = OsProcessSettings()
    operation = await small.install("2")
    assert operation.outcome == "put back", operation.error
    assert [change.name() for change in before.changes()] == []


async def test_an_operation_warns_of_settings_that_stay_because_the_script_has_waited(small: SmallNode) -> None:
    await boot(small, CHANGING, WAITING_APPLY)
    operation = await small.install("2")
    assert operation.outcome == "put back", operation.error
    (warning,) = [one for one in operation.warnings if one.startswith("The failed install did not restore ")]
    assert "the umask, " in warning


def test_streams_are_compared_without_their_own_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream())
    before, recursion = OsProcessSettings(), sys.getrecursionlimit()
    monkeypatch.setattr(sys, "stdout", Stream())
    sys.setrecursionlimit(4_321)
    assert {change.name() for change in before.changes()} == {"the stream sys.stdout", "the recursion limit"}
    before.put_back()
    assert sys.getrecursionlimit() == recursion
    assert before.changes() == []


def test_settings_of_decimal_are_compared_and_restored() -> None:
    before = OsProcessSettings()
    context, default = decimal.getcontext(), decimal.DefaultContext
    context.prec, default.rounding = 7, decimal.ROUND_UP
    names = {change.name() for change in before.changes()}
    before.put_back()
    assert names == {"the decimal context's prec", "decimal.DefaultContext's rounding"}
    assert (context.prec, default.rounding) == (28, decimal.ROUND_HALF_EVEN)


def test_reading_the_settings_makes_no_decimal_context_that_tasks_would_share() -> None:
    contextvars.Context().run(_read_settings_and_look_for_a_decimal_context)


def _read_settings_and_look_for_a_decimal_context() -> None:
    OsProcessSettings()
    assert "decimal" not in {variable.name.partition("_")[0] for variable in contextvars.copy_context()}


def test_a_variable_that_disappears_while_the_settings_are_read_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Environment(UserDict[str, str]):
        def __iter__(self) -> Iterator[str]:
            return iter([*super().__iter__(), "REMOVED_MEANWHILE"])

    before = OsProcessSettings()
    monkeypatch.setattr(os, "environ", Environment(os.environ))
    assert before.changes() == []


@pytest.mark.parametrize("second", [CLOSING, REUSING], ids=["closed", "reused"])
async def test_descriptors_that_a_code_change_closes_are_open_again_after_the_install(
    small: SmallNode, second: str
) -> None:
    files = [os.fstat(number).st_ino for number in range(3)]
    await boot(small, second)
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
    assert "and 5 more. A downgrade does not restore them. A failed install does, unless its script" in warning
    assert before.changes() == []


async def test_a_plan_names_the_settings_that_a_body_changes(small: SmallNode) -> None:
    await boot(small, COUNTER + "\nimport os, sys\nos.umask(0o017)\nsys.setrecursionlimit(4_321)\n")
    found = [one for one in (await small.handler.plan("2")).warnings if "body" in one]
    assert found == [
        "The body of shop.counter changes the umask to 0o017; a revert does not undo this.",
        "The body of shop.counter changes the recursion limit to 4321; a revert does not undo this.",
    ]

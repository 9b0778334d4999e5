"""Each log record names the process that logged it, wherever the process's code ran."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from node_runtime import Exit, GenServer, Pid, Runtime, call, cast, gen_server, spawn
from node_runtime.processes.log_context import add_process_to_log_records
from tests.support.waiting import eventually

logger = logging.getLogger("shop")


class Talker(GenServer[Pid | None]):
    def init(self, other: Pid | None = None) -> Pid | None:
        return other

    def say(self, word: str) -> None:
        logger.warning("%s", word)

    async def say_later(self, word: str) -> None:
        await asyncio.sleep(0)
        logger.warning("%s", word)

    async def say_from_a_thread(self, word: str) -> None:
        await asyncio.to_thread(logger.warning, "%s", word)

    async def ask_other(self, word: str) -> None:
        assert self.state is not None
        await call(self.state, Talker.say, "other")
        logger.warning("%s", word)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[dict[str, Any]]:
    """The records logged in a test, by a word of the message."""

    class ByMessage(dict[str, Any]):
        def __missing__(self, message: str) -> Any:
            return next(record for record in caplog.records if message in record.getMessage())

    undo = add_process_to_log_records(lambda: "1986.a")
    yield ByMessage()
    undo()


@pytest.mark.parametrize("method", [Talker.say, Talker.say_later, Talker.say_from_a_thread])
async def test_a_record_has_the_process_and_the_release(runtime: Runtime, said: dict[str, Any], method: Any) -> None:
    pid = await gen_server.start(Talker, name="talker")
    await call("talker", method, "hello")
    assert (said["hello"].node_pid, said["hello"].node_registered, said["hello"].node_release) == (
        int(pid),
        "talker",
        "1986.a",
    )


async def test_an_inline_call_logs_as_the_callee(runtime: Runtime, said: dict[str, Any]) -> None:
    other = await gen_server.start(Talker)
    pid = await gen_server.start(Talker, other, name="asker")
    await call(pid, Talker.ask_other, "mine")
    assert (said["other"].node_pid, said["other"].node_registered) == (int(other), None)
    assert (said["mine"].node_pid, said["mine"].node_registered) == (int(pid), "asker")


async def test_outside_of_processes_a_record_has_the_release_only(runtime: Runtime, said: dict[str, Any]) -> None:
    logger.warning("outside")
    assert (said["outside"].node_pid, said["outside"].node_registered, said["outside"].node_release) == (
        None,
        None,
        "1986.a",
    )


@pytest.mark.parametrize("inside", [True, False], ids=["called by a process", "cast"])
async def test_a_crash_report_is_logged_as_the_crashed_process(
    runtime: Runtime, said: dict[str, Any], inside: bool
) -> None:
    class Falling(Talker):
        def fall(self) -> None:
            raise ValueError("fell")

    async def ask(pid: Pid) -> None:
        with suppress(Exit):
            await call(pid, Falling.fall)

    pid = await gen_server.start(Falling, name="falling")
    if inside:
        spawn(ask, pid)
    else:
        cast(pid, Falling.fall)
    await eventually(lambda: pid not in runtime.processes)
    report = said["falling"].report
    assert (report.pid, report.name, report.reason, report.last_message) == (
        pid,
        "falling",
        "ValueError: fell",
        "fall()",
    )
    assert (said["falling"].node_pid, said["falling"].node_registered) == (int(pid), "falling")


async def test_an_application_may_give_its_records_a_pid_a_release_and_a_worker_of_its_own(
    runtime: Runtime, said: dict[str, Any]
) -> None:
    logger.warning("spawned", extra={"pid": 17, "registered": "x", "release": "beta", "worker": "w1"})
    assert (said["spawned"].pid, said["spawned"].node_release) == (17, "1986.a")

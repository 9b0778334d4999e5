"""Crash, supervisor and progress reports: one record each, as text and as data, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from node_runtime import (
    ChildSpec,
    Event,
    GenServer,
    GenStatem,
    Next,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    application,
    cast,
    exit,
    gen_server,
    gen_statem,
    supervisor,
    until_ended,
)
from node_runtime.application import Application, AppSpec
from node_runtime.behaviours.supervision.supervisor_reports import ProgressReport, SupervisorReport
from node_runtime.code import CodeServer, Source
from node_runtime.processes.crash_report import CrashReport
from node_runtime.protocol.exit_codes import Refused
from tests.support.waiting import eventually


@dataclass(slots=True)
class Account:
    owner: str
    api_key: str


class Bank(GenServer[Account]):
    def init(self) -> Account:
        return Account("bob", "k-123")

    def rob(self, password: str, amount: int) -> None:
        raise ValueError("caught")

    def close(self) -> None:
        raise Stop("shutdown")


class Vault(Bank):
    def format_status(self) -> object:
        return "a vault"

    def refuse(self) -> None:
        raise Refused("port 80 is taken; free it")


class Door(GenStatem[int]):
    def init(self) -> tuple[str, int]:
        return "shut", 3

    def shut(self, event: Event) -> Next:
        raise ValueError("jammed")


async def start_bank(name: str) -> Pid:
    return await gen_server.start_link(Bank, name=name)


async def start_refused() -> Pid:
    raise Refused("port 80 is taken; free it")


class Town(Supervisor):
    intensity = 0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("bank", f"{__name__}:start_bank", ("bank",))]


class RefusedTown(Supervisor):
    def children(self) -> list[ChildSpec]:
        return [ChildSpec("listener", f"{__name__}:start_refused")]


class TownApp(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(Town)


class RefusedApp(Application):
    async def start(self, start_type: str, args: Any) -> Pid:
        return await supervisor.start_link(RefusedTown)


def reports(caplog: pytest.LogCaptureFixture, kind: type[Any]) -> list[Any]:
    return [record for record in caplog.records if isinstance(getattr(record, "report", None), kind)]


async def test_a_crash_report_has_module_message_state_and_frames_once(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    pid = await gen_server.start(Bank, name="bank")
    cast(pid, Bank.rob, "1234", amount=7)
    await until_ended(pid)
    [record] = reports(caplog, CrashReport)
    report: CrashReport = record.report
    assert (report.pid, report.name, report.module, report.qualname) == (pid, "bank", __name__, "Bank")
    assert report.reason == "ValueError: caught"
    assert report.last_message == "rob(password=‹redacted›, amount=7)"
    assert report.state.endswith("Account(owner='bob', api_key=‹redacted›)")
    assert record.exc_info[2].tb_frame.f_code.co_name == "rob"
    assert "1234" not in caplog.text
    assert "k-123" not in caplog.text


async def test_a_state_is_shown_as_its_class_wants_it(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    pid = await gen_server.start(Vault)
    cast(pid, Vault.rob, "1234", 7)
    await until_ended(pid)
    [record] = reports(caplog, CrashReport)
    assert record.report.state == "'a vault'"


async def test_a_crash_report_of_a_state_machine_has_its_state_and_data(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    pid = await gen_statem.start(Door)
    gen_statem.cast(pid, "knock")
    await until_ended(pid)
    [record] = reports(caplog, CrashReport)
    assert record.report.state == "gen_statem(state='shut', data=3)"
    assert record.report.last_message == "request 'knock'"


async def test_a_refusal_is_one_line(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    pid = await gen_server.start(Vault)
    cast(pid, Vault.refuse)
    await until_ended(pid)
    [record] = reports(caplog, CrashReport)
    assert record.getMessage() == f"gen_server {pid} ended: port 80 is taken; free it"
    assert record.exc_info is None


async def test_an_application_that_is_refused_prints_no_traceback(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    application.load(AppSpec("town", "1", mod=f"{__name__}:RefusedApp"))
    with pytest.raises(Exception, match="port 80"):
        await application.start("town")
    assert "port 80 is taken; free it" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_supervisor_reports_its_childs_crash_and_its_own_shutdown(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    pid = await supervisor.start_link(Town)
    exit("bank", "kill")
    await until_ended(pid)
    told = [
        (record.report.context, record.report.child, record.report.reason)
        for record in reports(caplog, SupervisorReport)
    ]
    assert told == [
        ("child_terminated", "bank", "killed"),
        ("shutdown", "bank", "more than 0 restarts in 5 s"),
    ]


async def test_a_normal_exit_is_not_reported(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    pid = await gen_server.start(Bank)
    cast(pid, Bank.close)
    await until_ended(pid)
    assert not [record for record in caplog.records if hasattr(record, "report")]


async def test_a_start_is_a_progress_report(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    application.load(AppSpec("town", "1", mod=f"{__name__}:TownApp"))
    await application.start("town")
    records = reports(caplog, ProgressReport)
    assert [(one.levelname, one.report.child) for one in records] == [("DEBUG", "bank"), ("INFO", "town")]
    await application.stop("town")


# ------------------------------------------------------------------ code versions

FIRST = """
import asyncio
from node_runtime import GenServer

class Clock(GenServer[asyncio.Event]):
    def init(self, gate):
        return gate

    async def strike(self):
        await self.state.wait()
        raise ValueError("the first version's line")
"""


@pytest.fixture
def code() -> Iterator[CodeServer]:
    server = CodeServer()
    server.install()
    yield server
    server.uninstall()


async def test_a_traceback_has_the_lines_of_the_version_that_ran(
    runtime: Runtime, code: CodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio

    old, new = tmp_path / "1" / "tower_clock.py", tmp_path / "2" / "tower_clock.py"
    for path, text in ((old, FIRST), (new, "# another line\n" + FIRST.replace("first", "second"))):
        path.parent.mkdir()
        path.write_text(text)
    code.add_application("tower", "1", {"tower_clock": str(old)})
    import tower_clock  # type: ignore[import-not-found]  # made above

    module: ModuleType = tower_clock
    gate = asyncio.Event()
    pid = await gen_server.start(module.Clock, gate)
    cast(pid, module.Clock.strike)
    await eventually(lambda: runtime.processes[pid].status == "running")
    code.prepare([Source("tower_clock", str(new), "tower", "2")]).commit()
    gate.set()
    await until_ended(pid)
    [record] = reports(caplog, CrashReport)
    written = logging.Formatter().format(record)
    assert "the first version's line" in written.partition("Traceback")[2]
    assert str(old) in written
    assert "second" not in written
    assert sys.modules["tower_clock"] is module

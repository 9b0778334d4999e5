"""The actions of the screen of one process: open it, go back and forth, log, trace, suspend, and copy a report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hotdash.actions import BY_ID, command_line_of, help_of, key_of, open_process_first
from hotdash.model.process.bug_report import json_report, markdown_report
from hotdash.model.process.facts import fact_lines
from hotdash.model.process.visits import Visits
from hotdash.model.process_tree import title_of
from hotdash.model.styled_text import Line, line, span
from hotdash.screens.confirm import Answer, ConfirmDialog, Question
from hotdash.screens.process import ProcessScreen
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused

if TYPE_CHECKING:
    from hotdash.app import HotdashApp

TRACE_SECONDS = 10.0
SUSPEND_SECONDS = 60.0


class InspectionActions:
    """The actions of one dashboard, and the processes that its operator has visited."""

    def __init__(self, app: HotdashApp) -> None:
        self._app = app
        self._visits = Visits()

    def handlers(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the handlers by the ids of their actions."""
        return {
            "open_process": self.open,
            "previous_process": lambda: self._go(-1),
            "next_process": lambda: self._go(1),
            "mark_state": self._mark,
            "log_process": self._log,
            "trace_process": self._trace,
            "suspend_process": self._suspend,
            "report": self._copy_markdown,
            "report_json": self._copy_json,
        }

    async def open(self) -> None:
        """Open the screen of the selected process."""
        selected = self._app.selected()
        key = selected.process or selected.successor
        if key is None:
            overview, processes = (
                key_of(f"view_{view}", self._app.dashboard.keymap) for view in ("overview", "processes")
            )
            raise Refused(f"Select a process first, in the overview ({overview}) or among the processes ({processes}).")
        if selected.process is None:
            self._app.show_toast(f"The selected process has ended; this is its successor <{key.pid}>.")
        if isinstance(self._app.top_screen, ProcessScreen):
            return
        self._visits.visit(key)
        await self._app.push_screen(ProcessScreen(self._visits, self._read, self._find))

    async def _read(self, pid: int) -> m.ProcessView:
        return await self._app.link.request(methods.PROCESS, m.InspectProcess(pid=pid))

    async def _find(self, name: str) -> int | None:
        page = await self._app.link.request(methods.PROCESSES, m.ProcessQuery(names=(name,), limit=10))
        return next((row.pid for row in page.rows if row.name == name), None)

    def _screen(self) -> ProcessScreen:
        screen = self._app.top_screen
        if not isinstance(screen, ProcessScreen):
            raise Refused(open_process_first(self._app.dashboard.keymap))
        return screen

    def _shown(self) -> m.ProcessView:
        view = self._screen().view
        if view is None:
            raise Refused("The node has not sent this process yet.")
        return view

    def _live(self) -> m.ProcessView:
        if self._screen().ended:
            raise Refused(self._screen().ended)
        return self._shown()

    async def _go(self, by: int) -> None:
        if not self._screen().go(by):
            where = "before this one" if by < 0 else "after this one"
            self._app.show_toast(f"You have visited no process {where}.")

    async def _mark(self) -> None:
        self._screen().mark()
        self._app.show_toast("From now on, changes are relative to the present state.")

    # -------------------------------------------------------------- recording and suspending

    async def _log(self) -> None:
        view = self._live()
        if view.log is None:
            answer = await self._ask("log_process", view, "Keep a log", ("It stays on until you end it.",), None)
            if answer is None:
                return
            request = m.LogProcess(pid=view.process.pid, boot_id=view.boot_id, reason=answer.reason)
        else:
            request = m.LogProcess(pid=view.process.pid, boot_id=view.boot_id, on=False)
        await self._app.link.request(methods.LOG_PROCESS, request)
        self._screen().refresh_now()

    async def _trace(self) -> None:
        view = self._live()
        answer = await self._ask("trace_process", view, "Trace", (), TRACE_SECONDS)
        if answer is not None:
            request = m.TraceProcess(
                pid=view.process.pid, boot_id=view.boot_id, seconds=answer.wait, reason=answer.reason
            )
            await self._app.link.request(methods.TRACE_PROCESS, request)
            self._screen().refresh_now()

    async def _suspend(self) -> None:
        view = self._live()
        target = m.ProcessTarget(pid=view.process.pid, boot_id=view.boot_id)
        if view.suspended_by:
            await self._app.link.request(methods.RESUME_PROCESS, target)
            self._app.show_toast(f"{title_of(view.process)} <{view.process.pid}> is resumed.")
        else:
            warning = "Calls to the process wait until it is resumed, and may time out."
            answer = await self._ask("suspend_process", view, "Suspend", (warning,), SUSPEND_SECONDS)
            if answer is None:
                return
            request = m.SuspendProcess(
                pid=target.pid, boot_id=target.boot_id, seconds=answer.wait, reason=answer.reason
            )
            await self._app.link.request(methods.SUSPEND_PROCESS, request)
        self._screen().refresh_now()

    async def _ask(
        self, action_id: str, view: m.ProcessView, verb: str, warnings: tuple[str, ...], seconds: float | None
    ) -> Answer | None:
        app, action = self._app, BY_ID[action_id]
        subject = app.subject(app.selected())
        lines: list[Line] = [
            line(span("on ", "muted"), span(app.node.name, "strong"), span(f"  boot {view.boot_id}", "muted")),
            fact_lines(view, app.view_state.node_now)[0],
            (),
            line(span(help_of(action, app.dashboard.keymap))),
            *(line(span(warning, "warn")) for warning in warnings),
        ]
        question = Question(
            title=f"{verb}: {title_of(view.process)} <{view.process.pid}>",
            lines=tuple(lines),
            verb=verb,
            command_line=lambda answer: command_line_of(
                action_id, replace(subject, options=m.InstallOptions(wait=answer.wait, reason=answer.reason))
            ),
            wait=seconds,
            wait_label="For (s)",
            reason="",
            harmful=action_id == "suspend_process",
        )
        return await app.push_screen_wait(ConfirmDialog(question))

    # -------------------------------------------------------------- reports

    async def _copy_markdown(self) -> None:
        report = markdown_report(self._info(), self._shown(), self._screen().before)
        self._copy(report, f"a report of {len(report):,} characters as Markdown")

    async def _copy_json(self) -> None:
        report = json_report(self._info(), self._shown())
        self._copy(report, f"a report of {len(report):,} characters as JSON")

    def _copy(self, report: str, what: str) -> None:
        self._app.copy_to_clipboard(report)
        key = key_of("copy", self._app.dashboard.keymap)
        self._app.show_toast(f"Copied: {what}. If the terminal refuses it, {key} copies the command that prints it.")

    def _info(self) -> m.NodeInfo:
        snapshot = self._app.node.snapshot
        if snapshot is None:
            raise Refused("The node has not sent its identity yet.")
        return snapshot.info

"""Handlers of the actions: they ask for confirmation, send a request to the node, and show its answer.

The target of an action, a process or a release, is fixed before the dialog opens. An update from
the node does not change the target while the dialog is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import PLAN_TIMEOUT_SECONDS
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .actions import BY_ID, OPERATOR_REMEDY, VIEWER_REFUSAL, command_line_of, help_of, key_of
from .model.operation_lines import outcome_words
from .model.plan_lines import hard_blockers, plan_id, plan_title, summary, transient_blockers
from .model.process_details import process_lines
from .model.process_tree import title_of
from .model.rehearsal_lines import unrehearsed
from .model.styled_text import Line, line, span
from .model.units import age
from .model.view_state import ARMED_SECONDS
from .screens.confirm import Answer, ConfirmDialog, Question
from .screens.operation import OperationScreen
from .screens.plan import PlanScreen
from .screens.stage import StageDialog
from .views.releases import Releases

if TYPE_CHECKING:
    from .app import HotdashApp

DEFAULT_WAIT_SECONDS = 15.0
"""The initial value of the field "Wait at most".

It is not 0: after the plan was made, a state machine may enter a state that blocks the install.
"""


class ActionHandlers:
    """The handlers of all actions except those that open a view. They run in a Textual worker and may await dialogs."""

    def __init__(self, app: HotdashApp) -> None:
        self._app = app
        self._handlers: dict[str, Callable[[], Awaitable[None]]] = {
            "restart": lambda: self._end_process("restart"),
            "kill": lambda: self._end_process("kill"),
            "stage": self._stage,
            "plan": self._plan,
            "upgrade": lambda: self._install("up"),
            "downgrade": lambda: self._install("down"),
            "commit": self._commit,
            "rollback": self._rollback,
            "abort": self._abort,
            "arm": self._arm,
            "copy": self._copy,
            "filter": self._filter,
            "pause": self._pause,
            "refresh": self._refresh,
            "theme": self._theme,
            "help": self._help,
            "palette": self._palette,
            "back": self._back,
            "leave": self._leave,
            "quit": self._quit,
        }

    async def run(self, action_id: str) -> None:
        """Run the handler of an action; a refusal becomes a toast."""
        try:
            await self._handlers[action_id]()
        except Refused as refusal:
            self._app.show_toast(refusal.sentence, bad=True)
        finally:
            self._app.set_busy()

    def refresh_operation(self, operation: str) -> None:
        """Read an operation from the node: events were missed or contained only part of it."""
        self._app.run_worker(self._refresh_operation(operation), name="operation", exit_on_error=False)

    async def _refresh_operation(self, operation: str) -> None:
        try:
            self._app.add_operation(
                await self._app.link.request(methods.OPERATION, m.GetOperation(operation=operation))
            )
        except Refused as refusal:
            self._app.show_toast(f"The outcome of operation {operation} is unknown. {refusal.sentence}", bad=True)

    # -------------------------------------------------------------- one process

    async def _end_process(self, verb: str) -> None:
        selected = self._app.selected()
        process = self._app.node.process(selected.process) if selected.process is not None else None
        if selected.process is None or process is None:
            self._app.show_toast("Select a process in the overview first.", bad=True)
            return
        key = selected.process
        subject = self._app.subject(selected)
        supervisor = process.kind in ("supervisor", "application")
        question = Question(
            title=BY_ID[verb].title.replace("the selected process", title_of(process)),
            lines=(
                line(span("on ", "muted"), span(self._app.node.name, "strong"), span(f"  boot {key.boot_id}", "muted")),
                *process_lines(process, self._app.view_state.node_now)[:3],
                (),
                line(span(help_of(BY_ID[verb], self._app.dashboard.keymap))),
            ),
            verb=verb.capitalize(),
            command_line=lambda answer: command_line_of(verb, subject),
            typed=title_of(process) if verb == "kill" and supervisor else None,
        )
        if await self._app.push_screen_wait(ConfirmDialog(question)) is None:
            return
        method = methods.RESTART_PROCESS if verb == "restart" else methods.KILL_PROCESS
        await self._app.link.request(method, m.ProcessTarget(pid=key.pid, boot_id=key.boot_id))
        self._app.show_toast(f"The node has accepted the request to {verb} {title_of(process)} <{key.pid}>.")
        self._app.link.refresh()

    # -------------------------------------------------------------- releases

    async def _stage(self) -> None:
        app = self._app
        subject = app.subject(app.selected())
        dialog = StageDialog(
            app.node.name, app.link.stage, lambda path: command_line_of("stage", replace(subject, path=path or None))
        )
        release = await app.push_screen_wait(dialog)
        if release is not None:
            app.show_toast(f"{release.name} {release.vsn} is {release.status} on {app.node.name}.")
            app.link.refresh()
            app.open_view("releases")
            app.main_screen.query_one(Releases).select(release.vsn)

    async def _plan(self) -> None:
        vsn = self._selected_release("plan")
        if vsn is not None:
            plan = await self._fetch_plan(vsn)
            if isinstance(self._app.top_screen, PlanScreen):
                self._app.pop_screen()
            await self._app.push_screen(PlanScreen(plan))

    def _selected_release(self, verb: str) -> str | None:
        vsn = self._app.selected().vsn
        if vsn is None:
            self._app.open_view("releases")
            self._app.show_toast(f"Select the release to {verb}.")
        return vsn

    async def _fetch_plan(self, vsn: str) -> m.Plan:
        self._app.set_busy(f"Making the plan for release {vsn} …")
        plan = await self._app.link.request(methods.PLAN, m.MakePlan(vsn=vsn), timeout=PLAN_TIMEOUT_SECONDS)
        self._app.set_busy()
        return plan

    async def _install(self, direction: m.Direction) -> None:
        app = self._app
        verb = "upgrade" if direction == "up" else "downgrade"
        vsn = self._selected_release(f"{verb} to")
        if vsn is None:
            return
        plan = await self._fetch_plan(vsn)
        if plan.nothing_to_do:
            app.show_toast(f"{app.node.name} already runs {vsn}: nothing to do.")
            return
        if plan.direction != direction:
            other = "upgrade" if plan.direction == "up" else "downgrade"
            article = "an" if plan.direction == "up" else "a"
            change = f"Going from {plan.from_vsn} to {vsn} is {article} {other}"
            app.show_toast(f"{change}; press {self._key(other)}.", bad=True)
            return
        if hard_blockers(plan):
            if not isinstance(app.top_screen, PlanScreen):
                await app.push_screen(PlanScreen(plan))
            app.show_toast(f"Not possible now: {hard_blockers(plan)[0].reason}", bad=True)
            return
        consent = self._consent(plan)
        answer = await app.push_screen_wait(ConfirmDialog(self._install_question(plan, verb, consent)))
        if answer is None:
            return
        options = msgspec.structs.asdict(_with_answer(consent, answer))
        request = m.Install(vsn=vsn, direction=direction, plan_id=plan.id, **options)
        started = await app.link.request(methods.INSTALL, request)
        await self._follow(started.operation)

    def _consent(self, plan: m.Plan) -> m.InstallOptions:
        """Return the options that need the operator's consent.

        The operator consents by typing the version. The dialog says why each option is needed.
        """
        release = self._app.node.release(plan.to_vsn)
        failed = release is not None and release.failed is not None
        return m.InstallOptions(unrehearsed=unrehearsed(plan) is not None, again=failed)

    def _key(self, action_id: str) -> str:
        return key_of(action_id, self._app.dashboard.keymap)

    def _install_question(self, plan: m.Plan, verb: str, consent: m.InstallOptions) -> Question:
        app = self._app
        subject = replace(app.subject(app.selected()), vsn=plan.to_vsn)
        lines: list[Line] = [
            line(span("on ", "muted"), span(app.node.name, "strong"), span(f"   plan {plan_id(plan)}", "muted")),
            *summary(plan),
            *(line(span("! ", "warn"), span(text, "warn")) for text in plan.warnings),
            *(line(span("◷ ", "warn"), span(blocker.reason, "warn")) for blocker in transient_blockers(plan)),
        ]
        return Question(
            title=plan_title(plan),
            lines=tuple(lines),
            verb=verb.capitalize(),
            command_line=lambda answer: command_line_of(verb, replace(subject, options=_with_answer(consent, answer))),
            typed=plan.to_vsn,
            wait=DEFAULT_WAIT_SECONDS,
            reason=f"{verb} to {plan.to_vsn}",
        )

    async def _follow(self, operation: str) -> None:
        """Open the operation's screen at once; the node's events update it."""
        if isinstance(self._app.top_screen, PlanScreen):
            self._app.pop_screen()
        await self._app.push_screen(OperationScreen(operation))
        await self._refresh_operation(operation)

    async def _commit(self) -> None:
        app = self._app
        running = app.node.running()
        if running is None or running.probation_until is None:
            app.show_toast("There is nothing to commit: the running release is permanent.")
            return
        subject = app.subject(app.selected())
        left = running.probation_until - app.view_state.node_now

        def equivalent(answer: Answer) -> str:
            return command_line_of("commit", replace(subject, options=m.InstallOptions(reason=answer.reason)))

        question = Question(
            title=f"Make {running.vsn} permanent",
            lines=(
                line(span("on ", "muted"), span(app.node.name, "strong")),
                line(span(running.vsn, "strong"), " is on probation for another ", span(age(left), "warn"), "."),
                line("After the commit, the node boots this release and no longer reverts by itself."),
            ),
            verb="Commit",
            command_line=equivalent,
            typed=running.vsn,
            reason=f"commit {running.vsn}",
        )
        answer = await app.push_screen_wait(ConfirmDialog(question))
        if answer is not None:
            operation = await app.link.request(methods.COMMIT, m.Commit(reason=answer.reason))
            app.add_operation(operation)
            app.show_toast(f"{app.node.name}: {outcome_words(operation).text}.")
            app.link.refresh()

    async def _rollback(self) -> None:
        app = self._app
        snapshot = app.node.snapshot
        if snapshot is None or snapshot.info.vsn == snapshot.info.permanent:
            app.show_toast(
                "There is nothing to roll back: the running release is permanent. "
                f"Press {self._key('downgrade')} to downgrade to an older release."
            )
            return
        plan = await self._fetch_plan(snapshot.info.permanent)
        if hard_blockers(plan):
            await app.push_screen(PlanScreen(plan))
            app.show_toast(f"Not possible now: {hard_blockers(plan)[0].reason}", bad=True)
            return
        answer = await app.push_screen_wait(ConfirmDialog(self._rollback_question(plan)))
        if answer is not None:
            request = m.Rollback(wait=answer.wait, reason=answer.reason, unrehearsed=unrehearsed(plan) is not None)
            started = await app.link.request(methods.ROLLBACK, request)
            await self._follow(started.operation)

    def _rollback_question(self, plan: m.Plan) -> Question:
        subject = self._app.subject(self._app.selected())
        consent = m.InstallOptions(unrehearsed=unrehearsed(plan) is not None)
        return replace(
            self._install_question(plan, "downgrade", consent),
            title=f"Roll back from {plan.from_vsn} to {plan.to_vsn}",
            verb="Roll back",
            command_line=lambda answer: command_line_of(
                "rollback", replace(subject, options=_with_answer(consent, answer))
            ),
            reason=f"roll back to {plan.to_vsn}",
        )

    async def _abort(self) -> None:
        ended = await self._app.link.request(methods.ABORT, m.Abort())
        self._app.show_toast(f"{self._app.node.name} ends operation {ended.operation}.")
        await self._refresh_operation(ended.operation)

    # -------------------------------------------------------------- the dashboard itself

    async def _arm(self) -> None:
        app = self._app
        if app.view_state.armed:
            app.arm(False)
            return
        if app.view_state.role == "viewer":
            raise Refused(f"{VIEWER_REFUSAL} {OPERATOR_REMEDY}", ExitCode.NOT_ALLOWED)
        question = Question(
            title=f"Arm {app.node.name}",
            lines=(
                line("Arming allows the operator's actions on this node for ", span(age(ARMED_SECONDS), "strong"), "."),
                line("Each action still asks for confirmation. The node's audit log records every change."),
            ),
            verb="Arm",
            command_line=lambda answer: "",
        )
        if await app.push_screen_wait(ConfirmDialog(question)) is not None:
            app.arm(True)

    async def _copy(self) -> None:
        command_line = self._app.command_line()
        self._app.copy_to_clipboard(command_line)
        self._app.show_toast(f"Copied: {command_line}")

    async def _filter(self) -> None:
        if self._app.top_screen is self._app.main_screen:
            self._app.main_screen.open_filter()

    async def _pause(self) -> None:
        self._app.toggle_pause()

    async def _refresh(self) -> None:
        self._app.link.refresh()

    async def _theme(self) -> None:
        self._app.search_themes()

    async def _help(self) -> None:
        self._app.show_help()

    async def _palette(self) -> None:
        self._app.action_command_palette()

    async def _back(self) -> None:
        if self._app.top_screen is self._app.main_screen:
            self._app.main_screen.clear_filter()
        else:
            self._app.pop_screen()

    async def _leave(self) -> None:
        if self._app.top_screen is not self._app.main_screen:
            self._app.pop_screen()
            return
        question = Question(
            title="Quit hotdash",
            lines=(line("The node continues, and so does a running operation."),),
            verb="Quit",
            command_line=lambda answer: "",
            harmful=False,
        )
        if await self._app.push_screen_wait(ConfirmDialog(question)) is not None:
            self._app.exit()

    async def _quit(self) -> None:
        self._app.exit()


def _with_answer(consent: m.InstallOptions, answer: Answer) -> m.InstallOptions:
    return msgspec.structs.replace(consent, wait=answer.wait, reason=answer.reason)

"""The actions on releases: stage, plan, upgrade, downgrade, restart into, commit, roll back, abort."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hotdash.actions import command_line_of, key_of
from hotdash.idle_actions import already_runs, nothing_to_do
from hotdash.model.operation_lines import default_reason, kept_words, kind_words, outcome_words, version_words
from hotdash.model.plan_lines import (
    hard_blockers,
    has_direction,
    missing_approvals,
    plan_id,
    plan_title,
    summary,
    transient_blockers,
)
from hotdash.model.rehearsal_lines import unrehearsed
from hotdash.model.releases.data_losses import lose_words
from hotdash.model.styled_text import Line, line, span
from hotdash.model.units import age
from hotdash.screens.confirm import Answer, ConfirmDialog, Question
from hotdash.screens.operation import OperationScreen
from hotdash.screens.plan import PlanScreen
from hotdash.screens.restart_question import restart_question
from hotdash.screens.stage import StageDialog
from hotdash.screens.waiting import waiting
from hotdash.views.releases import Releases
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import PLAN_TIMEOUT_SECONDS
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.methods import Method

if TYPE_CHECKING:
    from hotdash.app import HotdashApp

P = TypeVar("P", bound=m.WireStruct)
R = TypeVar("R", m.Operation, m.OperationStarted)

DEFAULT_WAIT_SECONDS = 15.0
"""The initial value of the field "Wait up to".

It is not 0: after the plan was made, a state machine may enter a state that blocks the install.
"""


class ReleaseActions:
    """The handlers of the actions on releases. They run in a Textual worker and may await dialogs."""

    def __init__(self, app: HotdashApp) -> None:
        self._app = app
        self.requesting = False
        """Whether the dashboard has requested an operation whose id it does not know yet."""
        self.own: set[str] = set()
        """The ids of the operations that this dashboard has begun."""
        self._aborting: set[str] = set()
        """The ids of the operations that this dashboard has aborted."""
        self._unreported: set[str] = set()
        """The ids of the aborted operations whose outcome the dashboard has not shown yet."""

    async def stage(self) -> None:
        app = self._app
        subject = app.subject(app.selected())
        dialog = StageDialog(
            app.node.name, app.link.stage, lambda path: command_line_of("stage", replace(subject, path=path or None))
        )
        release = await app.push_screen_wait(dialog)
        if release is not None:
            app.show_toast(f"{release.name} {release.vsn} is {release.status} on {app.node.name}.")
            app.link.refresh()
            await app.open_view("releases")
            app.main_screen.query_one(Releases).select(release.vsn)

    async def plan(self) -> None:
        vsn = await self._selected_release("plan")
        if vsn is not None:
            self._app.set_busy(_making_plan(vsn))
            plan = await self._fetch_plan(vsn)
            self._app.set_busy()
            if isinstance(self._app.top_screen, PlanScreen):
                self._app.pop_screen()
            await self._app.push_screen(PlanScreen(plan))

    async def _selected_release(self, verb: str) -> str | None:
        vsn = self._app.selected().vsn
        if vsn is None:
            await self._app.open_view("releases")
            self._app.show_toast(f"Select the release to {verb}.")
        return vsn

    async def _fetch_plan(self, vsn: str) -> m.Plan:
        return await self._app.link.request(methods.PLAN, m.MakePlan(vsn=vsn), timeout=PLAN_TIMEOUT_SECONDS)

    async def install(self, direction: m.Direction) -> None:
        app = self._app
        verb = "upgrade" if direction == "up" else "downgrade"
        vsn = await self._selected_release(f"{verb} to")
        if vsn is None:
            return
        async with waiting(app, f"{verb.capitalize()} to {vsn}", _making_plan(vsn)):
            plan = await self._fetch_plan(vsn)
        if plan.nothing_to_do:
            app.show_toast(f"{app.node.name} already runs {vsn}: nothing to do.")
            return
        if has_direction(plan) and plan.direction != direction:
            other = "upgrade" if plan.direction == "up" else "downgrade"
            article = "an" if plan.direction == "up" else "a"
            change = f"Going from {plan.from_vsn} to {vsn} is {article} {other}"
            app.show_toast(f"{change}; press {self._key(other)}.", bad=True)
            return
        if hard_blockers(plan) or missing_approvals(plan):
            await self._show_blocked(plan)
            return
        consent = self._consent(plan)
        answer = await app.push_screen_wait(ConfirmDialog(self._install_question(plan, verb, consent)))
        if answer is None:
            return
        options = msgspec.structs.asdict(_with_answer(consent, answer))
        request = m.Install(vsn=vsn, direction=direction, plan_id=plan.id, **options)
        started = await self._begin(methods.INSTALL, request)
        await self._follow(started.operation)

    async def _show_blocked(self, plan: m.Plan) -> None:
        """Show the plan with what blocks it. There is no toast about this, because a toast would cover it."""
        if isinstance(self._app.top_screen, PlanScreen):
            self._app.pop_screen()
        await self._app.push_screen(PlanScreen(plan))

    async def install_cold(self) -> None:
        app = self._app
        vsn = await self._selected_release("restart into")
        if vsn is None:
            return
        if idle := already_runs(vsn, app.node):
            app.show_toast(idle)
            return
        subject = replace(app.subject(app.selected()), vsn=vsn)
        release = app.node.release(vsn)
        consent = m.InstallOptions(again=release is not None and release.failed is not None, cold=True)

        def equivalent(answer: Answer) -> str:
            return command_line_of("cold", replace(subject, options=_with_answer(consent, answer)))

        answer = await app.push_screen_wait(ConfirmDialog(restart_question(app.node.name, vsn, equivalent)))
        if answer is not None:
            options = msgspec.structs.asdict(_with_answer(consent, answer))
            started = await self._begin(methods.INSTALL, m.Install(vsn=vsn, **options))
            await self._follow(started.operation)

    def _consent(self, plan: m.Plan) -> m.InstallOptions:
        """Return the options that need the operator's consent, given by typing the version."""
        release = self._app.node.release(plan.to_vsn)
        failed = release is not None and release.failed is not None
        return m.InstallOptions(unrehearsed=unrehearsed(plan) is not None, again=failed)

    def _key(self, action_id: str) -> str:
        return key_of(action_id, self._app.dashboard.keymap)

    def _install_question(self, plan: m.Plan, verb: str, consent: m.InstallOptions) -> Question:
        app = self._app
        subject = replace(app.subject(app.selected()), vsn=plan.to_vsn, lose=tuple(lose_words(plan)))
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
            reason=default_reason(verb, plan.to_vsn),
            operation=True,
        )

    async def _begin(self, method: Method[P, R], params: P) -> R:
        """Request an operation, and announce no new operation until the node has answered."""
        self.requesting = True
        try:
            begun = await self._app.link.request(method, params)
            self.own.add(begun.id if isinstance(begun, m.Operation) else begun.operation)
            return begun
        finally:
            self.requesting = False

    async def _follow(self, operation: str) -> None:
        """Open the operation's screen at once; the node's events update it."""
        if isinstance(self._app.top_screen, PlanScreen):
            self._app.pop_screen()
        await self._app.push_screen(OperationScreen(operation))
        await self.refresh_operation(operation)

    async def _nothing_to_do(self, action_id: str) -> str:
        """Return why a commit or a rollback has nothing to do; empty if it has something to do.

        The event of the end of an install arrives before the snapshot that names its release. So a node that seems to
        run its permanent release is asked again.
        """
        app = self._app
        if nothing_to_do(action_id, app.node, app.dashboard.keymap):
            with suppress(Refused):  # without a connection, the last snapshot counts
                app.apply(app.node.with_snapshot(await app.link.request(methods.SUMMARY), app.clock()))
        return nothing_to_do(action_id, app.node, app.dashboard.keymap)

    async def commit(self) -> None:
        app = self._app
        idle = await self._nothing_to_do("commit")
        running = app.node.running()
        if idle or running is None:
            app.show_toast(idle)
            return
        subject = app.subject(app.selected())
        on_probation = line(span(running.vsn, "strong"), " is on probation without a deadline.")
        if running.probation_until is not None:
            left = span(age(running.probation_until - app.view_state.node_now), "warn")
            on_probation = line(span(running.vsn, "strong"), " is on probation for another ", left, ".")

        def equivalent(answer: Answer) -> str:
            return command_line_of("commit", replace(subject, options=m.InstallOptions(reason=answer.reason)))

        question = Question(
            title=f"Make {running.vsn} permanent",
            lines=(
                line(span("on ", "muted"), span(app.node.name, "strong")),
                on_probation,
                line("After the commit, the node boots this release at each restart, and no longer reverts by itself."),
            ),
            verb="Commit",
            command_line=equivalent,
            reason=default_reason("commit", running.vsn),
            operation=True,
        )
        answer = await app.push_screen_wait(ConfirmDialog(question))
        if answer is not None:
            operation = await self._begin(methods.COMMIT, m.Commit(reason=answer.reason))
            app.add_operation(operation)
            app.show_toast(f"{app.node.name}: {outcome_words(operation).text}.")
            app.link.refresh()

    async def rollback(self) -> None:
        app = self._app
        idle = await self._nothing_to_do("rollback")
        snapshot = app.node.snapshot
        if idle or snapshot is None:
            app.show_toast(idle)
            return
        vsn = snapshot.info.permanent
        async with waiting(app, f"Roll back to {vsn}", _making_plan(vsn)):
            plan = await self._fetch_plan(vsn)
        running = app.node.running()
        if hard_blockers(plan) and (running is None or running.no_way_back is None):  # else it may restart the node
            await self._show_blocked(plan)
            return
        answer = await app.push_screen_wait(ConfirmDialog(self._rollback_question(plan)))
        if answer is not None:
            request = m.Rollback(wait=answer.wait, reason=answer.reason, unrehearsed=unrehearsed(plan) is not None)
            started = await self._begin(methods.ROLLBACK, request)
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
            reason=default_reason("roll back", plan.to_vsn),
        )

    async def refresh_operation(self, operation: str) -> None:
        """Request an operation from the node, because its events were missed or did not contain all its results."""
        try:
            self._app.add_operation(
                await self._app.link.request(methods.OPERATION, m.GetOperation(operation=operation))
            )
        except Refused as refusal:
            self._app.show_toast(f"The outcome of operation {operation} is unknown. {refusal.sentence}", bad=True)

    async def abort(self) -> None:
        if idle := nothing_to_do("abort", self._app.node, self._app.dashboard.keymap):
            self._app.show_toast(idle)
            return
        running = self._app.node.unfinished()[-1]
        answer = await self._app.push_screen_wait(ConfirmDialog(self._abort_question(running)))
        if answer is None:
            return
        self._aborting.add(running.id)
        self._unreported.add(running.id)
        try:
            await self._app.link.request(methods.ABORT, m.Abort(operation=running.id, reason=answer.reason))
        except Refused:
            self._unreported.discard(running.id)
            raise
        await self.refresh_operation(running.id)
        aborted = self._app.node.operation(running.id)
        if aborted is not None and aborted.ended is not None:  # else the event of its end reports it
            self._report_own_abort(aborted)

    def _report_own_abort(self, ended: m.Operation) -> None:
        if ended.id in self._unreported:
            self._unreported.discard(ended.id)
            if not isinstance(self._app.top_screen, OperationScreen):
                self._app.show_toast(f"{_sentence(ended)} {kept_words(ended)}".rstrip())

    def _abort_question(self, running: m.Operation) -> Question:
        app = self._app
        subject = app.subject(app.selected())

        def equivalent(answer: Answer) -> str:
            return command_line_of("abort", replace(subject, options=m.InstallOptions(reason=answer.reason)))

        waits = [line("It waits for: ", span(running.waits_for, "warn"), ".")] if running.waits_for else []
        began = span(f"{age(app.view_state.node_now - running.started)} ago: {running.phase}", "muted")
        return Question(
            title=f"Abort: {kind_words(running).lower()} {version_words(running)}",
            lines=(
                line(span("on ", "muted"), span(app.node.name, "strong")),
                line("Started by ", span(running.by, "strong"), " ", began),
                *waits,
                line("It has changed nothing yet; ", span(running.from_vsn, "strong"), " keeps running."),
            ),
            verb="Abort",
            command_line=equivalent,
            reason="",
            aborts=running.id,
        )

    def report_abort(self, operation: m.Operation) -> None:
        """Report the end of an aborted operation that this dashboard has begun or aborted.

        An operation that somebody else has aborted is not reported while its screen is open.
        """
        self._report_own_abort(operation)
        known = operation.outcome == "aborted" and operation.id in self.own - self._aborting
        screens = self._app.screen_stack
        if known and not any(isinstance(one, OperationScreen) and one.operation == operation.id for one in screens):
            self._app.show_toast(
                " ".join([_sentence(operation), operation.error or "", kept_words(operation)]), bad=True
            )


def _making_plan(vsn: str) -> str:
    return f"Making the plan for release {vsn} …"


def _sentence(operation: m.Operation) -> str:
    """Return a sentence about an operation and its outcome."""
    return f"{kind_words(operation)} {version_words(operation)}: {outcome_words(operation).text}."


def _with_answer(consent: m.InstallOptions, answer: Answer) -> m.InstallOptions:
    return msgspec.structs.replace(consent, wait=answer.wait, reason=answer.reason)

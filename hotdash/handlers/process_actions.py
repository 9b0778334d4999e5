"""The actions that end processes: the selected one, or all that are marked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hotdash.actions import BY_ID, command_line_of, help_of
from hotdash.model.process_details import process_lines
from hotdash.model.process_tree import label_of, title_of
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Line, line, span
from hotdash.screens.confirm import ConfirmDialog, Question
from hotdash.screens.process import ProcessScreen
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import ExitCode, Refused

if TYPE_CHECKING:
    from hotdash.app import HotdashApp

MAX_LISTED = 8
"""The number of marked processes that a dialog names."""


async def end_processes(app: HotdashApp, verb: str) -> None:
    """Restart or kill the marked processes or, if none is marked, the selected one, once the operator has confirmed."""
    selected = app.selected()
    if isinstance(app.top_screen, ProcessScreen) and app.top_screen.ended:
        raise Refused(app.top_screen.ended)
    if selected.marked:
        await _end_marked(app, verb, selected.marked)
        return
    process = _known(app, selected.process) if selected.process is not None else None
    if selected.process is None or process is None:
        app.show_toast("Select a process in the overview first.", bad=True)
        return
    key = selected.process
    subject = app.subject(selected)
    supervisor = process.kind in ("supervisor", "application")
    question = Question(
        title=BY_ID[verb].title.replace("the selected process", label_of(process)),
        lines=(
            _on(app, key),
            *process_lines(process, app.view_state.node_now)[:3],
            (),
            line(span(help_of(BY_ID[verb], app.dashboard.keymap))),
        ),
        verb=verb.capitalize(),
        command_line=lambda answer: command_line_of(
            verb, replace(subject, options=m.InstallOptions(reason=answer.reason))
        ),
        typed=title_of(process) if verb == "kill" and supervisor else None,
        reason="",
    )
    answer = await app.push_screen_wait(ConfirmDialog(question))
    if answer is None:
        return
    await _request(app, verb, key, answer.reason)
    app.show_toast(f"The node has accepted the request to {verb} {label_of(process)} <{key.pid}>.")
    app.link.refresh()


async def _end_marked(app: HotdashApp, verb: str, marked: tuple[ProcessKey, ...]) -> None:
    subject = app.subject(app.selected())
    titles = app.node.titles()
    listed = [line(span(titles.get(key.pid, "process"), "name"), span(f" <{key.pid}>", "muted")) for key in marked]
    more = [line(span(f"and {len(marked) - MAX_LISTED:,} more", "muted"))] if len(marked) > MAX_LISTED else []
    question = Question(
        title=f"{verb.capitalize()} {len(marked):,} marked processes",
        lines=(
            _on(app, marked[0]),
            *listed[:MAX_LISTED],
            *more,
            (),
            line(span(help_of(BY_ID[verb], app.dashboard.keymap))),
        ),
        verb=verb.capitalize(),
        command_line=lambda answer: command_line_of(verb, subject),
        typed=str(len(marked)),
        reason="",
    )
    answer = await app.push_screen_wait(ConfirmDialog(question))
    if answer is None:
        return
    refusals: list[str] = []
    for key in marked:
        try:
            await _request(app, verb, key, answer.reason)
        except Refused as refused:
            if refused.code in (ExitCode.UNREACHABLE, ExitCode.UNKNOWN_OUTCOME, ExitCode.NOT_ALLOWED):
                raise
            refusals.append(refused.sentence)
    done = f"The node has accepted {len(marked) - len(refusals):,} of {len(marked):,} requests to {verb}."
    app.show_toast(" ".join((done, *refusals[:1])), bad=bool(refusals))
    app.main_screen.unmark()
    app.link.refresh()


def _known(app: HotdashApp, key: ProcessKey) -> m.ProcessSummary | None:
    """Return the process from its open screen, else from a known row; None if neither has it."""
    screen = app.top_screen
    if isinstance(screen, ProcessScreen) and screen.view is not None and screen.view.process.pid == key.pid:
        return screen.view.process
    return app.node.process(key)


async def _request(app: HotdashApp, verb: str, key: ProcessKey, reason: str | None) -> None:
    method = methods.RESTART_PROCESS if verb == "restart" else methods.KILL_PROCESS
    await app.link.request(method, m.ProcessTarget(pid=key.pid, boot_id=key.boot_id, reason=reason))


def _on(app: HotdashApp, key: ProcessKey) -> Line:
    return line(span("on ", "muted"), span(app.node.name, "strong"), span(f"  boot {key.boot_id}", "muted"))

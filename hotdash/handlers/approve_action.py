"""The action that approves the install of a release."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hotdash.actions import command_line_of
from hotdash.idle_actions import nothing_to_do
from hotdash.model.releases.release_words import status_words
from hotdash.model.releases.trust_lines import approved_words, signature_words
from hotdash.model.styled_text import line, span
from hotdash.model.units import moment
from hotdash.screens.confirm import Answer, ConfirmDialog, Question
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods

if TYPE_CHECKING:
    from hotdash.app import HotdashApp


async def approve_release(app: HotdashApp) -> None:
    """Approve the install of the selected release once the operator has confirmed. Raises Refused."""
    if idle := nothing_to_do("approve", app.node, app.dashboard.keymap):
        app.show_toast(idle)
        return
    vsn = app.selected().vsn
    release = None if vsn is None else app.node.release(vsn)
    if release is None:
        await app.open_view("releases")
        app.show_toast("Select the release to approve.")
        return
    state, subject = app.view_state, app.subject(app.selected())

    def equivalent(answer: Answer) -> str:
        return command_line_of("approve", replace(subject, options=m.InstallOptions(reason=answer.reason)))

    staged = span(f", staged {moment(release.staged, state.now)}", "muted")
    question = Question(
        title=f"Approve {release.vsn}",
        lines=(
            line(span("on ", "muted"), span(app.node.name, "strong")),
            line(span(f"{release.name} {release.vsn}", "name"), " is ", *status_words(release, state.node_now), staged),
            line(span("signature  ", "muted"), span(signature_words(release.signature))),
            line("You approve the content of this release, which another person has staged. Nothing is installed yet."),
        ),
        verb="Approve",
        command_line=equivalent,
        reason="",
    )
    answer = await app.push_screen_wait(ConfirmDialog(question))
    if answer is not None:
        approval = await app.link.request(methods.APPROVE, m.Approve(target=release.vsn, reason=answer.reason))
        app.show_toast(approved_words(approval, app.node.name))

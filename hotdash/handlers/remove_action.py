"""The action that deletes a release from the node's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotdash.actions import command_line_of
from hotdash.idle_actions import not_removable
from hotdash.model.releases.release_words import status_words
from hotdash.model.styled_text import line, span
from hotdash.model.units import moment
from hotdash.screens.confirm import ConfirmDialog, Question
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods

if TYPE_CHECKING:
    from hotdash.app import HotdashApp


async def remove_release(app: HotdashApp) -> None:
    """Request the removal of the selected release once the operator has confirmed. Raises Refused."""
    vsn = app.selected().vsn
    release = None if vsn is None else app.node.release(vsn)
    if release is None:
        await app.open_view("releases")
        app.show_toast("Select the release to remove.")
        return
    if sentence := not_removable(release, app.node):
        app.show_toast(sentence, bad=True)
        return
    state, subject = app.view_state, app.subject(app.selected())
    staged = span(f", staged {moment(release.staged, state.now)}", "muted")
    question = Question(
        title=f"Remove {release.vsn}",
        lines=(
            line(span("on ", "muted"), span(app.node.name, "strong")),
            line(span(f"{release.name} {release.vsn}", "name"), " is ", *status_words(release, state.node_now), staged),
            line("The node deletes the files that only this release needs. The running code is not changed."),
            line("Afterwards, the node can't return to this release until its tarball is staged again."),
        ),
        verb="Remove",
        command_line=lambda answer: command_line_of("remove", subject),
        operation=True,
    )
    if await app.push_screen_wait(ConfirmDialog(question)) is not None:
        await app.link.request(methods.REMOVE, m.ReleaseVsn(vsn=release.vsn))
        app.show_toast(f"{release.name} {release.vsn} is removed from {app.node.name}.")
        app.link.refresh()

"""The action that purges the old version of a module: it ends the processes and tasks that keep the version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotdash.actions import command_line_of
from hotdash.model.old_code_lines import holder_lines, purged_lines
from hotdash.model.styled_text import line, span, text_of
from hotdash.screens.confirm import ConfirmDialog, Question
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import PLAN_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from hotdash.app import HotdashApp


async def purge(app: HotdashApp) -> None:
    """Show what keeps the old version of the selected module, and request its purge once the operator has confirmed."""
    selected = app.selected()
    snapshot = app.node.snapshot
    if selected.module is None or snapshot is None:
        app.show_toast("Select a module first.", bad=True)
        return
    app.set_busy(f"Looking for what keeps the old version of {selected.module} …")
    listed = (await app.link.request(methods.OLD_CODE, timeout=PLAN_TIMEOUT_SECONDS)).modules
    app.set_busy()
    old = next((one for one in listed if one.module == selected.module), None)
    if old is None:
        app.show_toast(f"{selected.module} has no old version.")
        return
    subject = app.subject(selected)
    names = app.node.titles()
    question = Question(
        title=f"End the old code of {old.module}",
        lines=(
            line(span("on ", "muted"), span(app.node.name, "strong"), span(f"  boot {snapshot.info.boot_id}", "muted")),
            *holder_lines(old, names),
        ),
        verb="End",
        command_line=lambda answer: command_line_of("purge", subject),
        typed=old.module,
    )
    if await app.push_screen_wait(ConfirmDialog(question)) is None:
        return
    request = m.PurgeModule(module=old.module, boot_id=snapshot.info.boot_id)
    purged = await app.link.request(methods.PURGE, request, timeout=PLAN_TIMEOUT_SECONDS)
    app.show_toast(" ".join(text_of(each) for each in purged_lines(purged)), bad=not purged.dropped)
    app.link.refresh()

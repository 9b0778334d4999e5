"""The action that purges the old version of a module: it ends the processes and tasks that keep the version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotdash.actions import command_line_of
from hotdash.model.old_code_lines import holder_lines, purged_text
from hotdash.model.styled_text import line, span
from hotdash.screens.confirm import ConfirmDialog, Question
from hotdash.screens.waiting import waiting
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import PLAN_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from hotdash.app import HotdashApp


async def purge(app: HotdashApp) -> None:
    """Show what keeps the old version of the selected module, and request the purge of the old version once the
    operator has confirmed.
    """
    selected = app.selected()
    snapshot = app.node.snapshot
    if selected.module is None or snapshot is None:
        app.show_toast("Select a module first.", bad=True)
        return
    if any(one.name == selected.module and one.old_vsn is None for one in snapshot.modules):
        app.show_toast(f"{selected.module} has no old version.")
        return
    title = f"End the old code of {selected.module}"
    async with waiting(app, title, f"Looking for what keeps the old version of {selected.module} …"):
        listed = (await app.link.request(methods.OLD_CODE, timeout=PLAN_TIMEOUT_SECONDS)).modules
    old = next((one for one in listed if one.module == selected.module), None)
    if old is None:
        app.show_toast(f"{selected.module} has no old version.")
        return
    subject = app.subject(selected)
    names = app.node.titles()
    question = Question(
        title=title,
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
    app.show_toast(purged_text(purged), bad=not purged.dropped)
    app.link.refresh()

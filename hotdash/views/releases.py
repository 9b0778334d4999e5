"""View 5: the releases in the node's directory, and the actions on the selected release."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.actions import BY_ID, key_of, refusal_of
from hotdash.idle_actions import not_removable, nothing_to_do
from hotdash.model.releases.release_words import STATUS_TONES, direction_words, health_words, status_words
from hotdash.model.releases.trust_lines import signature_words, trust_words
from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.units import age, moment, plural
from hotdash.model.view_state import Selection, ViewState
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import ScrollingLines
from node_runtime.protocol import messages as m

from .base import View

_COLUMNS = (
    Column("", min_width=1, max_width=1),
    Column("release", min_width=14, max_width=40, grow=True),
    Column("status", min_width=9, max_width=30),
    Column("direction", max_width=16, drop_order=1),
    Column("applications", max_width=40, drop_order=3),
    Column("staged", max_width=16, drop_order=2, align_right=True),
)


class Releases(View):
    """The table of the releases, and below it the selected release with its actions."""

    SCOPED_CSS = False  # the rules for small screens begin with a class of the screen
    DEFAULT_CSS = """
    Releases {
        & Table { height: 1fr; }
        & ScrollingLines { height: 9; padding: 0 1; border-top: solid $foreground 20%; }
    }
    .-low Releases ScrollingLines { height: 7; }
    """

    def __init__(self) -> None:
        super().__init__(id="releases")
        self._view_state: ViewState | None = None

    def compose(self) -> ComposeResult:
        yield Table(_COLUMNS, empty="The node has not reported any releases yet.")
        yield ScrollingLines()

    def show(self, view_state: ViewState) -> None:
        self._view_state = view_state
        releases = view_state.node.snapshot.releases if view_state.node.snapshot is not None else ()
        words = self.filtered.lower().split()
        kept = [one for one in releases if all(word in f"{one.name} {one.vsn} {one.status}".lower() for word in words)]
        empty = "Nothing matches the filter." if words and releases else None
        self.query_one(Table).show([Row(one.vsn, _cells(one, view_state)) for one in kept], empty)
        self._show_release()

    def select(self, vsn: str) -> None:
        """Put the cursor on a release."""
        self.query_one(Table).select(vsn)

    def _show_release(self) -> None:
        if self._view_state is None or self._view_state.node.snapshot is None:
            return
        release = self._view_state.node.release(str(self.query_one(Table).key))
        lines = _release_lines(release, self._view_state) if release is not None else []
        self.query_one(ScrollingLines).show(lines)

    def on_table_cursor_moved(self) -> None:
        """Show the release under the cursor."""
        self._show_release()

    async def on_table_row_chosen(self) -> None:
        """Make the plan for the selected release."""
        await self.run_action("app.act('plan')")

    def selected(self) -> Selection:
        table = self.query_one(Table)
        return Selection(vsn=str(table.key)) if table.cursor_on_row else Selection()


def _running_vsn(view_state: ViewState) -> str | None:
    snapshot = view_state.node.snapshot
    return None if snapshot is None else snapshot.info.vsn


def _runs(release: m.ReleaseInfo, view_state: ViewState) -> bool:
    return release.vsn == _running_vsn(view_state)


def _cells(release: m.ReleaseInfo, view_state: ViewState) -> tuple[Line, ...]:
    apps = ", ".join(f"{name} {vsn}" for name, vsn in release.apps)
    return (
        (Span("▶", "ok") if _runs(release, view_state) else Span(" "),),
        (span(release.name, "name"), Span(" "), span(release.vsn, "strong")),
        status_words(release, view_state.node_now),
        (span(direction_words(release, _running_vsn(view_state))),),
        (span(apps, "muted"),),
        (span(moment(release.staged, view_state.now), "muted"),),
    )


def _release_lines(release: m.ReleaseInfo, view_state: ViewState) -> list[Line]:
    head = line(
        span(release.name, "name"),
        " ",
        span(release.vsn, "strong"),
        span(f"  {release.status}", STATUS_TONES[release.status]),
    )
    apps = line(
        span("applications  ", "muted"), span(", ".join(f"{name} {vsn}" for name, vsn in release.apps) or "none")
    )
    signed = line(span("signature     ", "muted"), span(signature_words(release.signature)), *_accepted(view_state))
    if release.signature.warning:
        signed = line(span(release.signature.warning, "bad"))
    if release.damaged:
        return [head, apps, (), line(span(release.damaged, "bad"))]
    failed = [line(span(f"It failed on this node: {release.failed}", "bad"))] if release.failed else []
    return [head, apps, signed, *failed, *_advice(release, view_state)]


def _accepted(view_state: ViewState) -> tuple[Span, ...]:
    """Return a clause that says which releases the node accepts."""
    snapshot = view_state.node.snapshot
    return () if snapshot is None else (span("   the node accepts ", "muted"), trust_words(snapshot.info.trust))


def _health_lines(health: m.Health | None) -> list[Line]:
    """Return the health of the release that is on probation."""
    if health is None:
        return []
    counted = f"  {plural(health.restarts, 'restart')}, {plural(health.errors, 'error')}"
    return [line("health: ", health_words(health), f", {health.finding}", span(counted, "muted"))]


def _advice(release: m.ReleaseInfo, view_state: ViewState) -> list[Line]:
    """Return the actions on the selected release, with their keys."""
    keymap = view_state.dashboard.keymap
    may_change = view_state.role != "viewer"

    def key(action_id: str) -> Span:
        return span(key_of(action_id, keymap), "name")

    if release.probation_until is not None:
        left = release.probation_until - view_state.node_now
        end = "restarts" if release.no_way_back else "rolls back by itself"
        return [
            line(span(f"On probation: the node {end} in {age(left)} unless the release is committed.", "warn")),
            *([line(span(release.no_way_back, "bad"))] if release.no_way_back else []),
            *_health_lines(release.health),
            *(
                [line(key("commit"), " makes it permanent, ", key("rollback"), " rolls back now.")]
                if may_change
                else []
            ),
        ]
    if _runs(release, view_state):
        others = (
            [one for one in view_state.node.snapshot.releases if one.vsn != release.vsn]
            if view_state.node.snapshot
            else []
        )
        first = line(span("Running and permanent: the node boots this release after a restart.", "ok"))
        if others:
            return [first]
        stages = (key("stage"), " stages another one.") if may_change else ()
        return [first, line("It is the only release here. ", *stages)]
    removal = []
    if not not_removable(release, view_state.node) and may_change:
        removal = [line(key("remove"), " removes it from the node's directory.")]
    if not (release.up or release.down):
        shown = f"; {key_of('plan', keymap)} shows why" if may_change else ""
        return [line(span(f"There is no path from the running release to this one{shown}.", "warn")), *removal]
    verb = "upgrade" if release.up else "downgrade"
    if refusal := refusal_of(BY_ID["plan"], view_state.role, armed=view_state.armed, keymap=keymap):
        return [line(span(refusal, "muted"))]
    approval = []
    if not nothing_to_do("approve", view_state.node, keymap):
        approval = [line(key("approve"), " approves its install, if another person has staged it.")]
    return [
        line(key("plan"), f" shows what the {verb} would do; nothing is changed."),
        line(key(verb), f" {verb}s to it while the node runs."),
        *approval,
        *removal,
    ]

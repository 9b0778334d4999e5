"""View 5: the releases in the node's directory, and what can be done with the selected one."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.operation_lines import VERDICTS
from hotdash.model.styled_text import Line, Span, Tone, line, say
from hotdash.model.units import age, countdown, moment, plural
from hotdash.model.view_state import Picture, Selected
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import Lines
from node_runtime.protocol import messages as m

from .base import View

_COLUMNS = (
    Column("", least=1, most=1),
    Column("release", least=14, most=40, grow=True),
    Column("status", least=9, most=30),
    Column("can go", most=16, rank=1),
    Column("applications", most=40, rank=3),
    Column("staged", most=16, rank=2, right=True),
)
_TONES: dict[str, Tone] = {"unpacked": "plain", "current": "warn", "permanent": "ok", "old": "fact"}


class Releases(View):
    """The table above, what the selected release is and offers below."""

    DEFAULT_CSS = """
    Releases {
        & Table { height: 1fr; }
        & Lines { height: 9; padding: 0 1; border-top: solid $foreground 20%; }
    }
    .-low Releases Lines { height: 7; }
    """

    def __init__(self) -> None:
        super().__init__(id="releases")
        self._picture: Picture | None = None

    def compose(self) -> ComposeResult:
        yield Table(_COLUMNS, empty="The node has not told of any release yet.")
        yield Lines()

    def show(self, picture: Picture) -> None:
        self._picture = picture
        releases = picture.node.snapshot.releases if picture.node.snapshot is not None else ()
        words = self.filtered.lower().split()
        kept = [one for one in releases if all(word in f"{one.name} {one.vsn} {one.status}".lower() for word in words)]
        empty = "Nothing matches the filter." if words and releases else None
        self.query_one(Table).show([Row(one.vsn, _cells(one, picture)) for one in kept], empty)
        self._show_release()

    def select(self, vsn: str) -> None:
        """Put the cursor on a release."""
        self.query_one(Table).select(vsn)

    def _show_release(self) -> None:
        if self._picture is None or self._picture.node.snapshot is None:
            return
        release = self._picture.node.release(str(self.query_one(Table).key))
        lines = _release_lines(release, self._picture) if release is not None else []
        self.query_one(Lines).show(lines)

    def on_table_moved(self) -> None:
        """Show the release under the cursor."""
        self._show_release()

    async def on_table_chosen(self) -> None:
        """Enter makes the plan."""
        await self.run_action("app.act('plan')")

    def selected(self) -> Selected:
        table = self.query_one(Table)
        return Selected(vsn=str(table.key)) if table.present else Selected()


def _runs(release: m.ReleaseInfo, picture: Picture) -> bool:
    snapshot = picture.node.snapshot
    return snapshot is not None and snapshot.info.vsn == release.vsn


def _cells(release: m.ReleaseInfo, picture: Picture) -> tuple[Line, ...]:
    status: Line = (say(release.status, _TONES[release.status]),)
    if release.damaged or release.failed:
        status = (*status, say(", damaged" if release.damaged else ", failed", "bad"))
    if release.probation_until is not None:
        left = countdown(release.probation_until - picture.node_now)
        status = (say("current", "warn"), say(f", on probation {left}", "warn"))
    apps = ", ".join(f"{name} {vsn}" for name, vsn in release.apps)
    return (
        (Span("▶", "ok") if _runs(release, picture) else Span(" "),),
        (say(release.name, "name"), Span(" "), say(release.vsn, "strong")),
        status,
        (say(_ways(release, picture)),),
        (say(apps, "fact"),),
        (say(moment(release.staged, picture.now), "fact"),),
    )


def _ways(release: m.ReleaseInfo, picture: Picture) -> str:
    if _runs(release, picture):
        return "runs"
    return " ".join(word for word, there in (("up", release.up), ("down", release.down)) if there) or "no way"


def _release_lines(release: m.ReleaseInfo, picture: Picture) -> list[Line]:
    head = line(
        say(release.name, "name"), " ", say(release.vsn, "strong"), say(f"  {release.status}", _TONES[release.status])
    )
    apps = line(say("applications  ", "fact"), say(", ".join(f"{name} {vsn}" for name, vsn in release.apps) or "none"))
    if release.damaged:
        return [head, apps, (), line(say(release.damaged, "bad"))]
    failed = [line(say(f"It failed here: {release.failed}", "bad"))] if release.failed else []
    return [head, apps, *(failed or [()]), *_advice(release, picture)]


def _health_lines(health: m.Health | None) -> list[Line]:
    """How the release does that is on probation."""
    if health is None:
        return []
    counted = f"  {plural(health.restarts, 'restart')}, {plural(health.errors, 'error')}"
    tone = VERDICTS[health.verdict]
    return [line("Its health is ", say(health.verdict, tone), f": {health.finding}.", say(counted, "fact"))]


def _advice(release: m.ReleaseInfo, picture: Picture) -> list[Line]:
    """What the selected release offers, in the words of its keys."""
    if release.probation_until is not None:
        left = release.probation_until - picture.node_now
        return [
            line(say(f"On probation: the node goes back by itself in {age(left)} unless it is committed.", "warn")),
            *_health_lines(release.health),
            line(say("P", "name"), " makes it permanent, ", say("X", "name"), " goes back now."),
        ]
    if _runs(release, picture):
        others = (
            [one for one in picture.node.snapshot.releases if one.vsn != release.vsn] if picture.node.snapshot else []
        )
        first = line(say("This release runs, and the node boots it.", "ok"))
        if others:
            return [first]
        return [first, line("It is the only one here. ", say("S", "name"), " stages another one.")]
    if not (release.up or release.down):
        return [line(say("There is no way from the running release to this one; p tells why.", "warn"))]
    key, verb = ("U", "upgrades to it") if release.up else ("D", "downgrades to it")
    return [
        line(say("p", "name"), " shows what it would do to every module and process; nothing is touched."),
        line(say(key, "name"), f" {verb} while the node runs."),
    ]

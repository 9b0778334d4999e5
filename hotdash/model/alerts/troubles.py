"""The troubles of a node now, the worst first, each with the view that shows more about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hotdash.model.node_view import NodeView
from hotdash.model.old_code_lines import running_words
from hotdash.model.releases.worker_lines import worker_troubles
from hotdash.model.selection import ProcessKey
from hotdash.model.styled_text import Tone
from hotdash.model.units import age, count, plural
from hotdash.model.vitals import blocked_words
from node_runtime.protocol import messages as m

ERROR_SECONDS: Final = 300.0
"""The number of past seconds in which errors in the log are counted."""
BLOCK_SECONDS: Final = 600.0
"""The number of seconds for which a past block of the event loop is still listed."""
START_SECONDS: Final = 20.0
"""A block of the event loop in these first seconds of a node is listed only while the block lasts."""
RESTART_SECONDS: Final = 3600.0
"""The number of seconds for which a restart of the node that ended a probation is listed, unless its release failed."""
_TONE_ORDER: Final[tuple[Tone, ...]] = ("bad", "warn")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble: a sentence, the view to open, and what is selected there.

    `about` tells troubles of the same view and selection apart. `child` is the id of a child of the supervisor
    `process`. If the tree shows the child, the child is selected instead of the supervisor.
    """

    tone: Tone
    sentence: str
    view: str
    process: ProcessKey | None = None
    module: str | None = None
    vsn: str | None = None
    about: str = ""
    child: str = ""

    @property
    def identity(self) -> tuple[object, ...]:
        """The fields that identify the trouble. They stay the same while numbers and errors in `sentence` change."""
        return self.view, self.process, self.module, self.vsn, self.about


def troubles(node: NodeView, now: float) -> list[Trouble]:
    """Return what is wrong with the node at the local time `now`, the worst first."""
    if node.snapshot is None:
        return []
    node_now = node.node_now(now)
    found = [
        *_blocked(node, now),
        *_restarts(node, node_now),
        *_mailboxes(node),
        *_releases(node),
        *(Trouble("warn", one, "releases", about=one) for one in worker_troubles(node.snapshot.workers)),
        *_operations(node, node_now),
        *_modules(node),
        *_log(node, node_now),
    ]
    return sorted(found, key=lambda one: _TONE_ORDER.index(one.tone))


def _blocked(node: NodeView, now: float) -> Iterator[Trouble]:
    if words := blocked_words(node.history, node.last_heard, now):
        yield Trouble("bad", f"{words}. {node.way_out()}", "logs", about="blocked")


def _restarts(node: NodeView, node_now: float) -> Iterator[Trouble]:
    vitals = node.history.samples[-1] if node.history.samples else None
    for one in vitals.restarting if vitals is not None else ():
        assert node.snapshot is not None
        used = f"{one.used} of {one.intensity} restarts in {one.period:g} s used"
        lasts = f" for {age(node_now - one.since)}" if one.since else ""
        tone: Tone = "bad" if one.used * 2 > one.intensity else "warn"
        yield Trouble(
            tone,
            f"{one.name or f'<{one.pid}>'} restarts children{lasts}, last {one.child}: {one.reason}; "
            f"{one.per_minute} per minute; {used}",  # the reason comes first: a narrow terminal cuts off the end
            "overview",
            ProcessKey(node.snapshot.info.boot_id, one.pid),
            child=one.child,
        )


def _mailboxes(node: NodeView) -> Iterator[Trouble]:
    vitals = node.history.samples[-1] if node.history.samples else None
    for one in vitals.mailboxes if vitals is not None else ():
        assert node.snapshot is not None
        yield Trouble(
            "warn",
            f"the mailbox of {one.name or 'process'} <{one.pid}> grows: {count(one.waiting)} messages, "
            f"+{count(one.growth)}/s",
            "processes",
            ProcessKey(node.snapshot.info.boot_id, one.pid),
        )


def _releases(node: NodeView) -> Iterator[Trouble]:
    for release in node.snapshot.releases if node.snapshot is not None else ():
        if release.health is not None and release.health.verdict == "bad":
            words = f"health of {release.vsn}: bad, {release.health.finding}"
            yield Trouble("bad", words, "releases", vsn=release.vsn, about="health")
        if release.no_way_back:
            yield Trouble("bad", release.no_way_back, "releases", vsn=release.vsn, about="way back")
        if release.damaged:
            yield Trouble("warn", release.damaged, "releases", vsn=release.vsn)
        elif release.failed:
            yield Trouble("warn", f"{release.vsn} failed here: {release.failed}", "releases", vsn=release.vsn)
        if release.signature.warning:
            yield Trouble("warn", release.signature.warning, "releases", vsn=release.vsn, about="signature")


def _operations(node: NodeView, node_now: float) -> Iterator[Trouble]:
    for operation in node.unfinished():
        if operation.waits_for:
            words = f"operation {operation.id} waits for: {operation.waits_for}"
            yield Trouble("warn", words, "upgrades", about="waiting")
    newest = node.operations[-1] if node.operations else None
    if newest is not None and newest.outcome in ("partly put back", "partly reverted", "restarted"):
        tone: Tone = "bad"
        if newest.outcome == "restarted" and newest.kind != "fallback" and not _failed_here(node, newest.to_vsn):
            if node_now >= _started(node) + RESTART_SECONDS:
                return
            tone = "warn"
        words = f"the outcome of the last operation is '{newest.outcome}': {newest.error or newest.id}"
        yield Trouble(tone, words, "upgrades")


def _failed_here(node: NodeView, vsn: str) -> bool:
    """Return whether the node blames this release for its last exit, and not the one who restarted the node."""
    release = node.release(vsn)
    return release is not None and bool(release.failed)


def _started(node: NodeView) -> float:
    return node.snapshot.info.started if node.snapshot is not None else 0.0


def _modules(node: NodeView) -> Iterator[Trouble]:
    draining = node.draining()
    if draining:
        words = f"{plural(len(draining), 'module')} draining in {running_words(draining)}"
        yield Trouble("warn", words, "modules", module=draining[0].name)


def _log(node: NodeView, node_now: float) -> Iterator[Trouble]:
    logged = [event for event in node.log if event.kind == "log" and event.at >= node_now - ERROR_SECONDS]
    errors = [event for event in logged if level_of(event) in ("error", "critical")]
    if errors:
        ago = age(node_now - errors[-1].at)
        words = f"{plural(len(errors), 'error')} logged in 5 min, the last {ago} ago: {cause_of(errors[-1])}"
        yield Trouble("bad", words, "logs", about="errors")
    for event in node.log[::-1]:
        if event.at < max(node_now - BLOCK_SECONDS, _started(node) + START_SECONDS):
            break
        if event.kind == "log" and message_of(event).startswith("the event loop was blocked for "):
            words = f"{message_of(event)}, {age(node_now - event.at)} ago"
            yield Trouble("warn", words, "logs", about="was blocked")
            break


def cause_of(event: m.NodeEvent) -> str:
    """Return the message of an event; of a crash report, only the beginning, which says what crashed and why."""
    head, crashed, rest = message_of(event).partition(" crashed: ")
    reason = rest.partition("; last message: ")[0].partition("; state: ")[0]
    return f"{head}{crashed}{reason}"


def level_of(event: m.NodeEvent) -> str:
    """Return the level of a log event in lower case; empty for an event of another kind."""
    return event.text.partition(": ")[0] if event.kind == "log" else ""


def message_of(event: m.NodeEvent) -> str:
    """Return the text of an event without the level."""
    return event.text.partition(": ")[2] if event.kind == "log" else event.text

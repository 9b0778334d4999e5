"""The findings in words, grouped for a plan. Values that would stay in old code get a blocker with a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import module_of, name_of, short_text
from node_runtime.processes.process import Process
from node_runtime.protocol.messages import Blocker, LiveValue, ValueOutcome, ValuePlace
from node_runtime.releases.migration.named_objects import NamedObject
from node_runtime.releases.planning.conditions import process_label
from node_runtime.releases.planning.transition import Transition

from .definition_changes import DefinitionChanges, definition_changes
from .findings import Finding
from .remedies import FindObstacle, remedy_for
from .replaced_code import ReplacedCode
from .report import LiveValuesFound, limited
from .value_path import path_to
from .value_search import FoundValue

MAX_GROUPS: Final = 50
"""A plan lists at most this many groups of values."""
MAX_BLOCKERS: Final = 20
"""At most this many groups get a blocker each."""
MAX_LABELS: Final = 3
"""A sentence names at most this many processes."""
_RANKS: Final[dict[ValueOutcome, int]] = {"blocked": 0, "waits": 1, "kept": 2, "migrated": 3}
_PLACES: Final[dict[ValuePlace, str]] = {
    "state": "its state",
    "state name": "the name of its state",
    "message": "a message in its mailbox",
    "call": "the arguments of the call that it handles",
    "timer": "the message of a pending timer",
    "timeout": "the content of its timeout {detail}",
    "postponed event": "an event that it has postponed",
    "child arguments": "the arguments for a restart of its child {detail}",
    "start arguments": "the arguments of its children()",
}
_WHATS: Final = {
    "instance": "a value of {code}",
    "exception": "an exception of {code}",
    "class": "the class {code}",
    "function": "the function {code}",
    "bound method": "the bound method {code}",
    "coroutine": "a coroutine of {code}",
    "generator": "a generator of {code}",
}


@dataclass(slots=True)
class Group:
    """Findings that a plan names in one sentence: about one class or function, and one place, such as "state".

    All findings are about processes of one class.
    """

    findings: list[Finding]
    code: str
    changes: DefinitionChanges
    gone: bool

    @property
    def first(self) -> Finding:
        """The first finding, which the sentences describe."""
        return self.findings[0]

    def processes(self) -> list[Process]:
        """Return the processes of the findings."""
        return list({finding.pid: finding.at.process for finding in self.findings}.values())


def describe(
    findings: Sequence[Finding], transition: Transition, code: ReplacedCode, find_obstacle: FindObstacle
) -> LiveValuesFound:
    """Return the findings as a plan shows them. `find_obstacle` is called for values that an update could convert."""
    groups = sorted(_groups(findings, code), key=lambda group: _RANKS[group.first.outcome])
    blocking = [group for group in groups if group.first.outcome in ("blocked", "waits")]
    blockers = [_blocker(group, transition, find_obstacle) for group in blocking[:MAX_BLOCKERS]]
    if len(blocking) > MAX_BLOCKERS:
        more = f"{len(blocking) - MAX_BLOCKERS} more kinds of values would stay in old code"
        blockers.append(
            Blocker(
                reason=more, remedy="see live_values in the plan with `-o json`, which lists up to 50 kinds of values"
            )
        )
    kept = [_kept(group) for group in groups if group.first.outcome == "kept"]
    return LiveValuesFound(
        values=tuple(_shown(group) for group in groups[:MAX_GROUPS]),
        blockers=tuple(blockers),
        warnings=tuple(limited(kept, "kinds of exceptions of old code are held by processes")),
    )


def _groups(findings: Iterable[Finding], code: ReplacedCode) -> list[Group]:
    groups: dict[tuple[object, ...], Group] = {}
    names: dict[int, str] = {}
    for finding in findings:
        at, thing = finding.at, finding.found.thing
        name = names.get(id(thing))
        if name is None:
            name = names[id(thing)] = _code_name(finding.found)
        process = at.process
        key = (process.module, process.qualname, at.place, at.detail, name, finding.outcome, finding.left_by)
        if key in groups:
            groups[key].findings.append(finding)
            continue
        changes, gone = DefinitionChanges(), False
        if isinstance(thing, type):
            successor = code.successor(thing)
            changes, gone = definition_changes(thing, successor), successor is None
        groups[key] = Group([finding], name, changes, gone)
    return list(groups.values())


def _code_name(found: FoundValue) -> str:
    """Return "module:name" of the class or function to which a found value belongs."""
    thing: Any = found.thing
    if isinstance(thing, NamedObject):
        return short_text(thing.label)
    if isinstance(thing, type):
        return f"{short_text(module_of(thing) or '?')}:{short_text(name_of(thing))}"
    if type(thing) is FunctionType:
        return f"{short_text(thing.__globals__.get('__name__', '?'))}:{short_text(thing.__qualname__)}"
    frame = next(getattr(thing, name) for name in ("cr_frame", "gi_frame", "ag_frame") if hasattr(thing, name))
    module = "?" if frame is None else frame.f_globals.get("__name__", "?")
    return f"{short_text(module)}:{short_text(thing.__qualname__)}"


def _shown(group: Group) -> LiveValue:
    finding, changes = group.first, group.changes
    return LiveValue(
        pid=finding.pid,
        name=finding.at.process.name,
        module=finding.at.process.module,
        place=finding.at.place,
        path=path_to(finding.found.value, finding.found.trail),
        sort=finding.found.sort,
        code=group.code,
        outcome=finding.outcome,
        processes=len(group.processes()),
        added=changes.added,
        removed=changes.removed,
        changed=changes.changed,
        gone=group.gone,
        detail=finding.at.detail,
    )


def _blocker(group: Group, transition: Transition, find_obstacle: FindObstacle) -> Blocker:
    finding, fate = group.first, _fate(group, transition)
    reason = f"{_holds(group)}, and {fate}"
    if finding.obstacle is not None:
        reason = f"{reason}: {finding.obstacle.reason}"
    if finding.left_by is not None:
        reason = f"the {finding.left_by} of {_labels(group)} leaves {_what(group)} in the state{_at(group)}, and {fate}"
    return Blocker(
        reason=reason,
        remedy=remedy_for(finding, transition, find_obstacle),
        pid=finding.pid,
        transient=finding.outcome == "waits",
    )


def _kept(group: Group) -> str:
    return f"{_holds(group)}: `except` in new code does not catch it if it is raised again."


def _holds(group: Group) -> str:
    at = group.first.at
    verb = "hold" if len(group.processes()) > 1 else "holds"
    return f"{_labels(group)} {verb} {_what(group)} in {_PLACES[at.place].format(detail=at.detail)}{_at(group)}"


def _what(group: Group) -> str:
    return _WHATS[group.first.found.sort].format(code=group.code)


def _at(group: Group) -> str:
    path = path_to(group.first.found.value, group.first.found.trail)
    return f" at {path}" if path else ""


def _labels(group: Group) -> str:
    processes = group.processes()
    more = f" and {len(processes) - MAX_LABELS:,} more" if len(processes) > MAX_LABELS else ""
    return ", ".join(process_label(process) for process in processes[:MAX_LABELS]) + more


def _fate(group: Group, transition: Transition) -> str:
    """Return a clause about what the target does with the class or function."""
    vsn = transition.target.vsn
    if group.gone:
        return f"release {vsn} no longer has that class"
    if not isinstance(group.first.found.thing, type):
        return f"release {vsn} replaces that code"
    changes = group.changes
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (("adds", changes.added), ("drops", changes.removed), ("changes", changes.changed))
        if names
    ]
    return f"release {vsn} replaces that class" + (f", which {' and '.join(parts)}" if parts else "")

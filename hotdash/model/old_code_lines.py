"""Lines about old versions of modules: what keeps each of them, and what a purge would end or has ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from node_runtime.protocol import messages as m

from .styled_text import Line, Span, Tone, line, span
from .units import plural

_ENDS: Final[dict[m.HolderKind, tuple[str, Tone]]] = {
    "process": ("a purge kills it", "bad"),
    "task": ("a purge cancels it", "warn"),
    "requests": ("a purge closes them", "warn"),
    "timer": ("a purge cancels it, if it calls the old version itself", "warn"),
    "callback": ("it ends when the event loop has run it", "muted"),
    "thread": ("it can't be ended from outside: let its function return, or restart the node", "warn"),
    "executor": ("its work can't be ended from outside: shut it down, or restart the node", "warn"),
    "server": ("close it, or kill the process that has opened it; a purge closes connections", "warn"),
    "object": (
        "a purge does not change it; it refers to old code until the program assigns or registers another value",
        "warn",
    ),
}
"""A clause for each kind of holder that says what ends such a holder."""


def draining_words(module: m.ModuleInfo) -> Span:
    """Return words that say how much still runs a module's old version; empty without an old version."""
    if module.old_vsn is None:
        return Span("")
    parts = []
    if 0 < len(module.old_pids) <= 2:
        parts.append(" ".join(f"<{pid}>" for pid in module.old_pids))
    elif module.old_pids:
        parts.append(plural(len(module.old_pids), "process", "processes"))
    if module.old_tasks:
        parts.append(plural(module.old_tasks, "task"))
    return span("draining " + ", ".join(parts), "warn") if parts else span("drained", "ok")


def running_number(modules: Iterable[m.ModuleInfo]) -> int:
    """Return how many processes and tasks run old versions of the modules."""
    processes, tasks = _running(modules)
    return processes + tasks


def running_words(modules: Iterable[m.ModuleInfo]) -> str:
    """Return how many processes and tasks run old versions of the modules, such as "1 process and 2 tasks"."""
    processes, tasks = _running(modules)
    counted = [plural(processes, "process", "processes")] if processes else []
    return " and ".join([*counted, *([plural(tasks, "task")] if tasks else [])])


def _running(modules: Iterable[m.ModuleInfo]) -> tuple[int, int]:
    """Return the numbers of processes and of tasks. Tasks have no identity here: most of them run all modules."""
    listed = list(modules)
    return len({pid for one in listed for pid in one.old_pids}), max((one.old_tasks for one in listed), default=0)


def pids_of(modules: Iterable[m.OldCode]) -> set[int]:
    """Return the pids of the processes that `holder_lines` may name."""
    return {holder.pid for old in modules for holder in old.holders if holder.pid is not None}


def holder_lines(old: m.OldCode, names: Mapping[int, str]) -> list[Line]:
    """Return a line for each holder. `names` are the titles of the processes, by pid."""
    if not old.holders:
        words = "Only garbage keeps it in memory, so it blocks no upgrade. A garbage collection takes"
        return [line(span(f"{words} {old.collection or 0.0:.3f} s.", "ok"))]
    return [_holder_line(holder, names) for holder in old.holders]


def _holder_line(holder: m.OldCodeHolder, names: Mapping[int, str]) -> Line:
    ends, tone = _ENDS[holder.kind]
    if holder.cache is not None:
        ends = "a purge clears it"
    elif holder.kind == "requests" and holder.number == 1:
        ends = "a purge closes it"
    elif holder.kind == "process" and not _runs(holder):
        ends = "a purge kills it if it still refers to the old version after the purge has cancelled the tasks"
    starter = ""
    if holder.kind == "task" and holder.pid is not None:
        starter = f", which {names.get(holder.pid, 'a process')} <{holder.pid}> has started"
    return line(span(holder.name, "name"), span(f"{starter} {holder.does}"), span(f"  {ends}", tone))


def _runs(holder: m.OldCodeHolder) -> bool:
    return holder.does.startswith("run")


def purge_question(old: m.OldCode, node: str) -> str:
    """Return the question before a purge, with the number of processes and tasks that the purge ends."""
    processes, tasks = ([one for one in old.holders if one.kind == kind] for kind in ("process", "task"))
    ends = [f"kill {_at_most(processes)}{plural(len(processes), 'process', 'processes')}"] if processes else []
    ends += [f"cancel {_at_most(tasks)}{plural(len(tasks), 'task')}"] if tasks else []
    requests = sum(one.number for one in old.holders if one.kind == "requests")
    ends += [f"close {plural(requests, 'open request')}"] if requests else []
    what = f" ({' and '.join(ends)})" if ends else ""
    return f"purge the old version of {old.module} on {node}{what}?"


def _at_most(holders: list[m.OldCodeHolder]) -> str:
    """Return "at most " if some holders only refer to the version, since a purge may end fewer of them; else ""."""
    return "" if all(map(_runs, holders)) else "at most "


def purged_lines(purged: m.Purged) -> list[Line]:
    """Return lines about what a purge has ended, and about the holders that are left."""
    lines = [line("closed ", span(name, "name")) for name in purged.closed]
    lines += [line("killed ", span(name, "name")) for name in purged.killed]
    lines += [line("cancelled ", span(name, "name")) for name in purged.cancelled]
    lines += [line("cleared ", span(name, "name")) for name in purged.cleared]
    if purged.dropped:
        lines.append(line(span(f"The old version of {purged.module} is dropped.", "ok")))
    if purged.left:
        lines.append(line(span("Still there:", "warn")))
        lines += [_holder_line(holder, {}) for holder in purged.left]
    return lines


def purged_text(purged: m.Purged) -> str:
    """Return the result of a purge in a few sentences, the outcome first; of several names, only the first."""
    dropped = f"The old version of {purged.module} is dropped."
    kept = f"The old version of {purged.module} is still there: {'; '.join(one.name for one in purged.left[:2])}."
    done = (("Killed", purged.killed), ("Cancelled", purged.cancelled), ("Cleared", purged.cleared))
    return " ".join([dropped if purged.dropped else kept, *(_done_text(*each) for each in done if each[1])])


def _done_text(verb: str, names: Sequence[str]) -> str:
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{verb} {names[0]}{others}."


def holders_text(old: m.OldCode) -> str:
    """Return the holders of an old version as text on one line."""
    return "; ".join(f"{holder.name} {holder.does}" for holder in old.holders)

"""The tasks, threads, timers, servers and processes without callbacks that will stay in old code.

An install moves processes with callbacks to the new code. Everything else that runs or holds a replaced version
continues with that version. The copy of the node finds these holders by a search over its heap. Without a copy, only
the tasks and threads that run the old version are known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, SupervisorProcess
from node_runtime.code import C_CODE, CodeServer
from node_runtime.code.old.found_holder import FoundHolder
from node_runtime.processes.process import Process
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import OldCodeHolder

from . import affected
from .participants import participants
from .transition import Transition

MAX_NAMED = 20
"""A plan names at most this many holders of old code."""

END_THREAD = (
    "no command can end a thread: let its function return. For example, the `terminate` of a process can set a "
    "`threading.Event`, and a `restart_child` in the appup can restart this process. The `shutdown` of an executor "
    "doesn't end a running function, but waits for it"
)
"""How to end a thread that runs old code."""

REGISTER_AGAIN = (
    "After the upgrade, let the program register the new function at the same place, for example in a code_change; "
    "else the next upgrade of the module is refused until a purge"
)
"""How to free a function that C code holds."""

Staying = Mapping[str, Sequence[FoundHolder]]
"""What will stay in old code, by the module whose old version it keeps."""


def staying_warnings(
    transition: Transition, code: CodeServer, found: Staying | None, served: Collection[str] = ()
) -> list[str]:
    """Return a sentence, with a remedy, for each task, thread, timer, server or process that will stay in old code.

    `found` has what the copy of the node has found; it is None if there was no copy. `served` are the names of
    functions and classes that an application would still serve. A holder that only holds one of these gets no sentence,
    because a blocker reports the function or class with the right remedy.
    """
    every = _merged(transition, code, found or {})
    excused = {f"holds {kind}{name}" for name in served for kind in ("", "class ", "the bound method ")}
    every = [one for one in every if one[0].holder.does not in excused]
    told, others = participants().staying(transition, [(one.holder, modules) for one, modules in every])
    left = {id(holder) for holder, _ in others}
    holders, inner = _folded([one for one in every if id(one[0].holder) in left])
    sentences = [_sentence(one.holder, modules, inner.get(one.holder.pid)) for one, modules in holders]
    sentences = list(dict.fromkeys([*told, *sentences]))
    limit = len(told) + MAX_NAMED
    if len(sentences) > limit:
        sentences[limit:] = [f"{len(sentences) - limit} more tasks, threads and timers will stay in old code."]
    return sentences


_Found = tuple[FoundHolder, list[str]]
"""A holder, and the modules whose old version it keeps."""


def _merged(transition: Transition, code: CodeServer, found: Staying) -> list[_Found]:
    """Return the holders that stay in old code, each with all modules whose old version it keeps.

    Tasks that have ended since the copy was made, such as those of short requests, are left out.
    """
    merged: dict[tuple[int, str], _Found] = {}
    stopped = affected.pids_of_stopped(transition.script)
    tasks = {task.get_name() for task in asyncio.all_tasks(runtime().loop)}
    runners = code.runners([*transition.loaded, *transition.removed])
    for known in (found, runners):
        for module, holders in known.items():
            for one in holders:
                has_ended = one.holder.kind == "task" and one.holder.task not in tasks
                if not has_ended and _stays(one.holder, module, stopped):
                    first, modules = merged.get(one.key, (one, []))
                    merged[one.key] = first.joined(one), [*modules, *({module} - {*modules})]
    return list(merged.values())


def _folded(holders: Sequence[_Found]) -> tuple[list[_Found], Mapping[int | None, list[str]]]:
    """Return the holders that need a sentence of their own, and the names of all other holders, by process.

    The tasks, timers and sockets of a process end with it. So the sentence about the process also names them.
    """
    servers = [(one, {*modules}) for one, modules in holders if one.holder.kind == "process" and one.holder.pid]
    left: list[_Found] = []
    inner: dict[int | None, list[str]] = {}
    for found, modules in holders:
        owner = next((one for one, theirs in servers if theirs >= {*modules} and _belongs_to(found, one)), None)
        if owner is None:
            left.append((found, modules))
        else:
            names = inner.setdefault(owner.holder.pid, [])
            names += {found.holder.name} - {*names}
    return left, inner


def _belongs_to(found: FoundHolder, process: FoundHolder) -> bool:
    """Return whether `process` has started the task `found`, or the timer or server `found` holds an object of
    `process`.
    """
    holder = found.holder
    if holder.kind == "task":
        return holder.pid == process.holder.pid and holder.does.startswith("holds ")
    holds_same = holder.does == process.holder.does and not found.through.isdisjoint(process.through)
    return holder.kind in ("timer", "server") and holds_same


def _stays(holder: OldCodeHolder, module: str, stopped: frozenset[int]) -> bool:
    """Return whether a holder stays in old code and no other part of the plan reports it."""
    if holder.name == C_CODE:
        return True
    if holder.kind in ("object", "callback"):
        return False  # other objects are reported as load hazards, and a callback of the event loop ends soon
    if holder.kind != "process":
        return True
    process = runtime().processes.get(holder.pid or 0)
    return (
        process is not None
        and not isinstance(process, BehaviourProcess)
        and process.pid not in stopped
        and process.module != module
    )


def _sentence(holder: OldCodeHolder, modules: Sequence[str], inner: Sequence[str] | None = None) -> str:
    old = f"the old version of {' and '.join(modules)}"
    if holder.kind == "process" and holder.pid is not None:
        also = f", with {' and '.join(map(_with_article, inner))}," if inner else ""
        return f"{holder.name}{also} {holder.does}, so it stays in {old} until it ends: {ending(holder.pid)}."
    if holder.kind == "task":
        starter = runtime().processes.get(holder.pid or 0)
        by = f", which {starter.title()} has started," if starter is not None else ""
        kill = f"`hotdash kill NODE {holder.task}` cancels it"
        stays = f"No process owns this task, so it stays in {old} until it ends; {kill}."
        return f"The {holder.name}{by} {holder.does}. {stays}"
    if holder.kind == "thread" and holder.does.startswith("runs"):
        return f"The {holder.name} {holder.does}: it stays in {old} until it ends; {END_THREAD}."
    if holder.name == C_CODE:
        return f"{holder.name} {holder.does}: {old} stays in use. {REGISTER_AGAIN}."
    name = _with_article(holder.name)
    purge = f"`hotdash purge NODE {modules[0]}`"
    return f"{name[0].upper()}{name[1:]} {holder.does}: it stays in {old}; after the upgrade, {purge} frees it."


def _with_article(name: str) -> str:
    return name if name.startswith("a ") else f"the {name}"


def ending(pid: int) -> str:
    """Return how to restart the process `pid`, which has no callbacks, so that it runs the new code.

    If no supervisor restarts the process, return how to end it.
    """
    process = runtime().processes.get(pid)
    child = None if process is None else _child(process)
    if child is None:
        return f"`hotdash kill NODE {pid}` ends it"
    id, supervisor = child
    restart = f"`hotdash restart NODE {pid}` starts it anew"
    if supervisor is None:
        return restart
    return f'{{ restart_child = "{id}", supervisor = "{supervisor}" }} in the appup starts it anew, or {restart}'


def _child(process: Process) -> tuple[str, str | None] | None:
    """Return the child id of `process` and its supervisor's name; None if no supervisor restarts the process.

    The name is None if the process can't be restarted by its id.
    """
    supervisor = runtime().processes.get(process.parent)
    table = supervisor.raw_state() if isinstance(supervisor, SupervisorProcess) else None
    child = None if table is None else table.by_pid.get(process.pid)
    if supervisor is None or table is None or child is None or child.spec.is_forgotten:
        return None
    return child.spec.id, None if table.template is not None else supervisor.name


def is_endless(pid: int) -> bool:
    """Return whether the process `pid` has no callbacks, and a supervisor would restart it whenever it ended."""
    process = runtime().processes.get(pid)
    if process is None or isinstance(process, BehaviourProcess):
        return False
    supervisor = runtime().processes.get(process.parent)
    table = supervisor.raw_state() if isinstance(supervisor, SupervisorProcess) else None
    child = None if table is None else table.by_pid.get(process.pid)
    return child is not None and child.spec.restart == "permanent"


def restartable(processes: Sequence[Process]) -> Iterator[str]:
    """For each of `processes` that a supervisor restarts, yield a sentence that says how to restart the process.

    `processes` must be processes without callbacks.
    """
    for process in processes:
        if _child(process) is not None:
            yield f"{process.title()}: {ending(int(process.pid))}."

"""The results of an install, process by process, collected after the processes have been resumed.

After every few results, the event loop runs other callbacks, so that the processes continue.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import chain, islice
from time import perf_counter, time
from typing import Any, Literal, NamedTuple

import msgspec

from node_runtime.behaviours.show.describe import DescribeLimits
from node_runtime.behaviours.show.secret_comparison import SecretComparison
from node_runtime.behaviours.show.state_view import describe_state
from node_runtime.behaviours.show.value_readers import ValueReaders
from node_runtime.behaviours.upgrade.live_processes import Behaviour, BehaviourProcess
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import runtime
from node_runtime.protocol.messages import ProcessResult, Term
from node_runtime.releases.planning import conditions, coroutines
from node_runtime.releases.planning.loop_slices import LoopSlices

from .switch import MUTATED_REASON, Switch

MAX_RESULTS = 100
"""At most this many processes of an operation get a result."""
SLICE_SECONDS = 0.0003
STATE_LIMITS = DescribeLimits(depth=8, parts=50, terms=400, size=10_000, text=200, seconds=0.005)
NO_STATE = Term(type="state", text="‹a coroutine, without a state›")
MUTATED = Term(type="state", text="‹changed by its code_change›")


class Pause(msgspec.Struct, frozen=True):
    """The time for which an install suspended processes: begin and end, in seconds of `time.perf_counter`."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """The length of the pause."""
        return self.ended - self.began


class _Affected(NamedTuple):
    """A process that the install affected, with its state and class before and after the install."""

    process: BehaviourProcess
    module: str
    action: Literal["load", "suspend", "migrate"]
    before: Any
    after: Any
    old: type[Behaviour] | None
    new: type[Behaviour] | None


async def make_results(switch: Switch, pause: Pause, *, put_back: bool) -> tuple[ProcessResult, ...]:
    """Return a result for each affected process, failures first; at most `MAX_RESULTS` of them."""
    results: dict[int, ProcessResult] = {}
    slices = LoopSlices(SLICE_SECONDS)
    blamed = {process.pid for process in switch.mutated}
    if switch.failed is not None:
        blamed.add(switch.failed[0].pid)
    readers = ValueReaders()
    for one in chain(_held(switch, blamed) if blamed else (), _held(switch), _loaded(switch, pause)):
        if len(results) >= MAX_RESULTS:
            break
        if one.process.pid not in results:
            results[one.process.pid] = _result(switch, one, pause, put_back, readers)
        if slices.is_over:
            await slices.give_way()
    told = list(results.values())
    return tuple(told if put_back else [*told, *islice(_coroutines(switch, pause), MAX_RESULTS - len(told))])


def count_affected(switch: Switch, pause: Pause) -> int:
    """Return the number of processes that the install affected, including those without a result."""
    suspended = frozenset(switch.transition.suspended)
    held = sum(len(group) for code, group in switch.hold.groups.items() if code.module in suspended)
    return held + sum(1 for _ in _loaded(switch, pause))


def _held(switch: Switch, only: Container[int] | None = None) -> Iterator[_Affected]:
    for code, group in switch.hold.groups.items():
        module = code.module
        if module not in switch.transition.suspended:
            continue
        old = conditions.class_in(code.namespace, code.qualname)
        migration = switch.migrations.get(code)
        if migration is not None:
            for at, process in enumerate(migration.processes):
                if only is not None and process.pid not in only:
                    continue
                before = migration.states[at]
                after = migration.after[at] if at < len(migration.after) else before
                yield _Affected(process, module, "migrate", before, after, old, migration.target)
        # The whole group again: a process that ended before code_change is not in the migration.
        for process in group:
            if only is not None and process.pid not in only:
                continue
            state = process.raw_state()
            before = switch.earlier_child_tables.get(process.pid, state)
            yield _Affected(
                process, module, switch.transition.action(module), before, state, old, type(process.instance)
            )


def _loaded(switch: Switch, pause: Pause) -> Iterator[_Affected]:
    """Yield the processes that get new code at their next message: their modules are loaded without a suspend."""
    began = time() - (perf_counter() - pause.began)
    for module in switch.transition.loaded:
        if module not in switch.transition.suspended:
            for process in conditions.callback_processes(module):
                if process.started <= began:
                    state, cls = process.raw_state(), type(process.instance)
                    yield _Affected(process, module, "load", state, state, cls, cls)


def _coroutines(switch: Switch, pause: Pause) -> Iterator[ProcessResult]:
    """Yield a result for each process that continues in the old version, because it runs a coroutine."""
    began = time() - (perf_counter() - pause.began)
    for module, processes in coroutines.coroutines_left(switch.transition):
        vsn = switch.versions.get(module, ("", ""))[0]
        for process in processes:
            if process.started > began:
                continue
            yield ProcessResult(
                pid=int(process.pid),
                name=None if process.name is None else shown(process.name),
                module=module,
                action="load",
                old_vsn=vsn,
                new_vsn=vsn,
                outcome="ok",
                seconds=0.0,
                before=NO_STATE,
                after=NO_STATE,
                reason=coroutines.CONTINUES,
            )


def _result(switch: Switch, one: _Affected, pause: Pause, put_back: bool, readers: ValueReaders) -> ProcessResult:
    process = one.process
    mutated = process in switch.mutated
    reason = None
    if switch.failed is not None and switch.failed[0] is process:
        error = switch.failed[1]
        reason = shown(describe_reason(error))
    if mutated:
        reason = MUTATED_REASON if reason is None else f"{reason}; {MUTATED_REASON}"
    outcome: Literal["ok", "failed", "died", "put back"] = "put back" if put_back else "ok"
    if reason is not None:
        outcome = "failed"
    elif process.pid not in runtime().processes:
        outcome = "died"
    old_vsn, new_vsn = switch.versions.get(one.module, ("", ""))
    secrets = SecretComparison()
    before = _render(one.old, one.before, readers, secrets) if switch.mutation_check.passes(process) else MUTATED
    after = before
    if mutated:
        after = _render(one.old, one.before, readers, secrets.compare())
    elif (one.after is not one.before and not put_back) or before is MUTATED:
        after = _render(one.new, one.after, readers, secrets.compare())
    held_at = switch.unsuspended.held_at if one.action == "load" else pause.began
    return ProcessResult(
        pid=int(process.pid),
        name=None if process.name is None else shown(process.name),
        module=one.module,
        action=one.action,
        old_vsn=old_vsn,
        new_vsn=new_vsn,
        outcome=outcome,
        seconds=0.0 if held_at is None else max(0.0, pause.ended - switch.hold.held_later.get(process.pid, held_at)),
        before=before,
        after=after,
        reason=reason,
    )


def _render(cls: type[Behaviour] | None, state: Any, readers: ValueReaders, secrets: SecretComparison) -> Term:
    return describe_state(cls or Behaviour, state, STATE_LIMITS, readers, secrets=secrets)

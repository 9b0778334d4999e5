"""Finds keys that the new code expects in the states of live processes, and that these states lack.

Only states that are dicts are checked. A dict has no declared fields, so the default migration leaves it as it is. Two
things say which keys the new code expects: the `TypedDict` that a class declares as its state, and the dict that `init`
makes.
"""

from __future__ import annotations

from typing import Any, is_typeddict

import msgspec

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess, behaviour_of
from node_runtime.code import Batch
from node_runtime.code.classes.required_keys import required_keys
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.migration.default_code_change import inherits_code_change
from node_runtime.releases.planning import affected, conditions
from node_runtime.releases.planning.transition import Transition

from .declared_state import declared_state
from .initial_keys import initial_keys


class ExpectedKeys(msgspec.Struct, frozen=True):
    """The keys that a class requires by its declared state, and those that only its new `init` sets."""

    required: frozenset[str] = frozenset()
    initial: frozenset[str] = frozenset()


def states_without_keys(transition: Transition, batch: Batch) -> tuple[list[Blocker], list[str]]:
    """Return a blocker for each class whose states lack a required key, and a warning for any other missing key.

    A key is required by the declared state; other keys are those that only the new `init` sets. Left out are processes
    that the script stops before their code changes, and processes whose states a written code_change converts.
    """
    blockers, warnings = [], []
    known: dict[tuple[str, str], ExpectedKeys] = {}
    stopped = affected.stopped_before_their_change(transition.script)
    for process in conditions.callback_processes(*transition.loaded):
        code = process.module, process.qualname
        if process.pid in stopped:
            continue
        if code not in known:
            known[code] = _expected(transition, batch, process)
        expected, state = known[code], _data(process)
        if state is None or state.keys() >= expected.required | expected.initial:
            continue
        required, initial = (sorted(keys - state.keys()) for keys in (expected.required, expected.initial))
        known[code] = ExpectedKeys()  # one sentence for each class
        label = f"{conditions.process_label(process)} ({process.module}:{process.qualname})"
        add = f"write a code_change that adds {_keys(required or initial)}"
        if process.module not in transition.migrated:
            add += f', and let the appup have {{ update = "{process.module}", change = "advanced" }}'
        if required:
            reason = f"the state of {label} has no {_keys(required)}, which release {transition.target.vsn} requires"
            remedy = f"declare {_keys(required)} as NotRequired, or {add}"
            blockers.append(Blocker(reason=reason, remedy=remedy, pid=int(process.pid)))
        else:
            warnings.append(
                f"The state of {label} has no {_keys(initial)}, which init of release {transition.target.vsn} sets: "
                f"{add}, or let the new code work without."
            )
    return blockers, warnings


def _expected(transition: Transition, batch: Batch, process: BehaviourProcess) -> ExpectedKeys:
    namespace = batch.namespace(process.module)
    new, old = conditions.class_in(namespace, process.qualname), type(process.instance)
    if new is None or behaviour_of(new) is not process.behaviour:
        return ExpectedKeys()
    if process.module in transition.migrated and not (inherits_code_change(new) and inherits_code_change(old)):
        return ExpectedKeys()
    declared = declared_state(new, namespace)
    if is_typeddict(declared):
        return ExpectedKeys(required=required_keys(declared))
    before, after = initial_keys(old), initial_keys(new)
    return ExpectedKeys() if before is None or after is None else ExpectedKeys(initial=after - before)


def _data(process: BehaviourProcess) -> dict[Any, Any] | None:
    """Return the state of a process if it is a dict, else None."""
    state = process.raw_state()
    data = state[1] if process.kind == "gen_statem" and type(state) is tuple else state
    return data if type(data) is dict else None


def _keys(names: list[str]) -> str:
    return f"key{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"

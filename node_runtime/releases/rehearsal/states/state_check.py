"""Checks that a process can continue with the state that a code_change has returned."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from node_runtime.behaviours.upgrade.live_processes import BehaviourProcess
from node_runtime.gen_statem import has_state
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.releases.rehearsal.guarded_call import WrongResult

from .declared_state import fits, type_name


class StateClass(msgspec.Struct, frozen=True):
    """One version of a callback class, the state type that it declares, and the release that has this version."""

    cls: type[Any]
    declared: Any
    vsn: str


def check_state(
    process: BehaviourProcess, returned: Any, wanted: StateClass, given: Any, before: StateClass, what: str
) -> None:
    """Raise WrongResult unless `returned` can be the state of a process of the class `wanted`.

    The state was made from `given`, a state of the class `before`. If `given` already violates the state type that
    `before` declares, the type of the new state isn't checked. `what` is the name of the called function in messages.
    """
    check_awaitable(returned, what)
    value, was = returned, given
    if process.kind == "gen_statem":
        if type(returned) is not tuple or len(returned) != 2:
            raise WrongResult("wrong type", f"{what} returned {_kind(returned)} instead of (state, data)")
        if not has_state(wanted.cls, returned[0]):
            name = shown(str(returned[0]))[:100]
            sentence = f"{what} returned the state {name}, which release {wanted.vsn} does not define"
            raise WrongResult("no such state", sentence)
        value, was = returned[1], given[1]
    if not fits(value, wanted.declared) and fits(was, before.declared):
        declared = type_name(wanted.declared)
        if declared == type(value).__qualname__:
            declared += f" of release {wanted.vsn}"
        sentence = f"{what} returned {_kind(value)}; {wanted.cls.__qualname__} declares its state as {declared}"
        raise WrongResult("wrong type", sentence)
    _check_resume(process, returned, wanted)


def check_awaitable(returned: Any, what: str) -> None:
    """Raise WrongResult if `returned`, the result of a function, is awaitable: the function must not be async.

    `what` is the name of the function in messages.
    """
    if inspect.isawaitable(returned):
        if inspect.iscoroutine(returned):
            returned.close()
        sentence = f"{what} is async, but no other code may run while the code is switched"
        raise WrongResult("wrong type", sentence, "define code_change without `async`")


def _check_resume(process: BehaviourProcess, state: Any, wanted: StateClass) -> None:
    """Make an instance of the class `wanted` with the state, as the resume does. Raises WrongResult."""
    try:
        process.make_instance(wanted.cls, state)
    except Exception as error:
        sentence = f"{wanted.cls.__qualname__} of release {wanted.vsn} can't hold its state"
        remedy = "correct the class and build the release under a new vsn"
        raise WrongResult("raised", f"{sentence}: {shown(describe_reason(error))[:500]}", remedy) from error


def _kind(value: object) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {shown(name[:100])}"

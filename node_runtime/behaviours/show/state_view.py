"""The state of a process as data for display, formatted by `format_status` if its class has that."""

from __future__ import annotations

from msgspec import structs

from node_runtime.behaviours.behaviour import Behaviour
from node_runtime.behaviours.gen_server import GenServer
from node_runtime.behaviours.gen_statem import GenStatem
from node_runtime.behaviours.supervision.child_table import Table
from node_runtime.processes.errors import CRASHES
from node_runtime.protocol.messages import Term

from .describe import Limits, describe
from .value_readers import Kinds, escape

_NO_HOOK = (None, GenServer.format_status, GenStatem.format_status)


def shown(
    cls: type[Behaviour],
    state: object,
    limits: Limits | None = None,
    kinds: Kinds | None = None,
    *,
    run_hook: bool = True,
) -> Term:
    """Return `state`, a `raw_state` of an instance of `cls`; a state machine's name and data are two parts.

    A supervisor's state is shown as an outline of its children. The class's `format_status` decides which part of the
    state, or of the data, is shown. With `run_hook` False no user code runs, and a state whose class has that hook is
    not shown at all. Follows gen_server:format_status/1.
    """
    if type(state) is Table and run_hook:
        return structs.replace(describe(state.outline(), limits, kinds), type="supervisor")
    if issubclass(cls, GenStatem) and isinstance(state, tuple) and len(state) == 2:
        name, data = state
        parts = (("state", describe(name, limits, kinds)), ("data", _value(cls, "data", data, limits, kinds, run_hook)))
        return Term(type="gen_statem", items=parts)
    return _value(cls, "state", state, limits, kinds, run_hook)


def _value(
    cls: type[Behaviour], attribute: str, value: object, limits: Limits | None, kinds: Kinds | None, run_hook: bool
) -> Term:
    if getattr(cls, "format_status", None) in _NO_HOOK:
        return describe(value, limits, kinds)
    if not run_hook:
        return Term(type="state", text="‹its format_status can't run now›")
    instance = object.__new__(cls)
    setattr(instance, attribute, value)
    try:
        return describe(instance.format_status(), limits, kinds)  # type: ignore[attr-defined]  # looked for above
    except CRASHES as error:
        return Term(type="state", text=escape(f"‹its format_status raised {type(error).__name__}›"))

"""The display form of a process's state: a Term, which the `format_status` of its class may shorten."""

from __future__ import annotations

from msgspec import structs

from node_runtime.behaviours.behaviour import Behaviour, behaviour_of
from node_runtime.processes.errors import CRASH_EXCEPTIONS
from node_runtime.protocol.messages import Term

from .describe import DescribeLimits, describe
from .value_readers import ValueReaders, escape


def describe_state(
    cls: type[Behaviour],
    state: object,
    limits: DescribeLimits | None = None,
    readers: ValueReaders | None = None,
    *,
    run_hook: bool = True,
) -> Term:
    """Return the Term of `state`, a `raw_state` of a `cls` process; a state machine's name and data are two items.

    The Term of a supervisor is an outline of its children. The class's `format_status` decides which part of the state,
    or of the data, is shown. `run_hook` must be False where user code must not run; then a state whose class has a
    `format_status` is not shown. Follows gen_server:format_status/1.
    """
    behaviour = behaviour_of(cls) or Behaviour
    if run_hook and (outline := behaviour.__outline__(state)) is not None:
        return structs.replace(describe(outline, limits, readers), type="supervisor")
    attribute = behaviour.__state_attribute__
    if (named := behaviour.__name_and_data__(state)) is not None:
        name, data = named
        shown_data = _value(cls, attribute, data, limits, readers, run_hook)
        return Term(type="gen_statem", items=(("state", describe(name, limits, readers)), (attribute, shown_data)))
    return _value(cls, attribute, state, limits, readers, run_hook)


def _value(
    cls: type[Behaviour],
    attribute: str,
    value: object,
    limits: DescribeLimits | None,
    readers: ValueReaders | None,
    run_hook: bool,
) -> Term:
    if getattr(cls, "format_status", None) is getattr(behaviour_of(cls), "format_status", None):  # no hook of its own
        return describe(value, limits, readers)
    if not run_hook:
        return Term(type="state", text="‹its format_status can't run now›")
    instance = object.__new__(cls)
    setattr(instance, attribute, value)
    try:
        return describe(instance.format_status(), limits, readers)  # type: ignore[attr-defined]  # checked above
    except CRASH_EXCEPTIONS as error:
        return Term(type="state", text=escape(f"‹its format_status raised {type(error).__name__}›"))

"""The display form of a process's state: a Term, which the `format_status` of its class may shorten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from msgspec import structs

from node_runtime.behaviours.behaviour import Behaviour, behaviour_of
from node_runtime.processes.errors import CRASH_EXCEPTIONS
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.protocol.escape import escape
from node_runtime.protocol.messages import Term

from .describe import DescribeLimits, describe
from .secret_comparison import SecretComparison
from .secret_fields import declared_state
from .value_readers import ValueReaders

_Show: TypeAlias = Callable[..., Term]
"""`describe` with all arguments bound except the value and its declaration."""


def describe_state(
    cls: type[Behaviour],
    state: object,
    limits: DescribeLimits | None = None,
    readers: ValueReaders | None = None,
    *,
    run_hook: bool = True,
    secrets: SecretComparison | None = None,
) -> Term:
    """Return the Term of `state`, which is the `raw_state` of a process with the callback class `cls`.

    The Term of a state machine has two items: the name of the state, and the data. The Term of a supervisor is an
    outline of its children. The class's `format_status` decides which part of the state, or of the data, is shown.
    `run_hook` must be False where user code must not run; then a state is not shown if its class has a `format_status`.
    Secrets are redacted, also in the result of `format_status`. `secrets` compares them with the secrets of another
    state. Follows gen_server:format_status/1.
    """
    show: _Show = partial(describe, limits=limits, readers=readers, secrets=secrets)
    behaviour = behaviour_of(cls) or Behaviour
    try:
        outline = behaviour.__outline__(state)
    except RuntimeError:  # the control thread reads the children while the event loop changes them
        return Term(type="supervisor", text="‹its children are changing›")
    if outline is not None:
        return structs.replace(_outline_term(outline), type="supervisor")
    attribute = behaviour.__state_attribute__
    if (named := behaviour.__name_and_data__(state)) is not None:
        name, data = named
        shown_data = _value(cls, attribute, data, show, run_hook)
        return Term(type="gen_statem", items=(("state", show(name)), (attribute, shown_data)))
    return _value(cls, attribute, state, show, run_hook)


def _outline_term(outline: dict[str, object]) -> Term:
    """Return the Term of an outline; its keys are ids, so a key such as `token_store` marks no secret."""
    parts = ((id, _outline_term(part) if isinstance(part, dict) else describe(part)) for id, part in outline.items())
    return Term(type="dict", items=tuple((shown(id), part) for id, part in parts))


def _value(cls: type[Behaviour], attribute: str, value: object, show: _Show, run_hook: bool) -> Term:
    if getattr(cls, "format_status", None) is getattr(behaviour_of(cls), "format_status", None):  # not overridden
        return show(value, declared=declared_state(cls))
    if not run_hook:
        return Term(type="state", text="‹its format_status can't run now›")
    instance = object.__new__(cls)
    setattr(instance, attribute, value)
    try:
        return show(instance.format_status())  # type: ignore[attr-defined]  # checked above
    except CRASH_EXCEPTIONS as error:
        return Term(type="state", text=escape(f"‹its format_status raised {type(error).__name__}›"))

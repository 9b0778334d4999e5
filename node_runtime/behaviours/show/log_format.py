"""Messages and states as single log lines: bounded, with secrets redacted, and without running user code."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.deferred_reply import is_deferred
from node_runtime.processes.process import MailItem, request_arguments
from node_runtime.processes.redaction.named_secrets import REDACTED
from node_runtime.protocol.clip import clip
from node_runtime.protocol.term_text import term_line

from .describe import DescribeLimits, describe, is_hidden
from .secret_fields import Declaration, declared_parameters

MAX_LINE_LENGTH: Final = 500
"""The maximum number of characters of a line."""


def line_limits() -> DescribeLimits:
    """Return the limits of a value that is shown on one line."""
    return DescribeLimits(depth=5, parts=12, terms=80, size=4000, text=120, seconds=0.005)


def one_line(value: object, declared: Declaration | None = None) -> str:
    """Return `value` on one line, redacted as `describe` does."""
    return clip(term_line(describe(value, line_limits(), declared=declared)), MAX_LINE_LENGTH)


def message_line(item: MailItem, cls: type[Any]) -> str:
    """Return a message as one line. `cls` is the callback class of the process that receives the message.

    A request is written as a call with parameter names, because these names show which arguments are secret.
    """
    tag, first, second, _ = item
    if tag is None:
        return one_line(first)
    if isinstance(tag, str):
        line = f"{tag}({', '.join(_arguments(getattr(cls, tag, None), *request_arguments(item)))})"
    else:
        line = f"{tag} {one_line(first if second is None else (first, second))}"
    return clip(line, MAX_LINE_LENGTH)


def _arguments(method: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    return [
        f"{name}={_argument(name, value, declaration)}" if name else one_line(value)
        for name, value, declaration in named_arguments(method, args, kwargs)
    ]


def named_arguments(
    method: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[str, Any, Declaration | None]]:
    """Return `(name, value, declaration)` for each argument of a request.

    The name is the parameter's name; "" if the parameter is unknown. The declaration says what the parameter's
    annotation declares about secrets.
    """
    names: tuple[str, ...] = ()
    declared: Mapping[str, Declaration] = {}
    if isinstance(method, FunctionType):
        first = 2 if is_deferred(method) else 1
        names = method.__code__.co_varnames[first : method.__code__.co_argcount]
        declared = declared_parameters(method)
    named = [(name, value, declared.get(name)) for name, value in (*zip(names, args, strict=False), *kwargs.items())]
    return [*named, *(("", value, None) for value in args[len(names) :])]


def _argument(name: str, value: object, declared: Declaration | None) -> str:
    return REDACTED if is_hidden(name, value) else one_line(value, declared)

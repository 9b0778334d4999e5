"""Finds functions of replaced versions that the OS process and the event loop still call: signal handlers and hooks."""

from __future__ import annotations

import asyncio
import functools
import signal
import weakref
from collections.abc import Callable, Iterator
from itertools import chain
from types import MethodType
from typing import Any, Final

from node_runtime.code.forked_child import parents_signal_handler, signal_name
from node_runtime.code.registrations import Hooks
from node_runtime.processes import current_runtime

_SET_AGAIN: Final = "set it again after the upgrade, or let the body of {module} set it, so that a load replaces it"
_NEW_FINALIZER: Final = (
    "after the upgrade, call its `detach` and make a new finalizer, or give `weakref.finalize` a function of a module "
    "that does not change"
)


def kept_hooks(origin: Callable[[Any], str | None]) -> Iterator[tuple[Any, str]]:
    """Yield (function, sentence) for each hook that is a function of the replaced version of a module.

    `origin` returns the module of a function or class that a load replaces, and None for others.
    """
    for title, hook, remedy in chain(
        ((title, hook, _SET_AGAIN) for title, hook in _hooks()),
        ((title, hook, _NEW_FINALIZER) for title, hook in _finalizers()),
    ):
        if (module := next(filter(None, map(origin, _code_of(hook))), None)) is not None:
            stays = f"{title} is still a function of the replaced version of {module}"
            yield hook, f"{stays}: {remedy.format(module=module)}."


def _hooks() -> Iterator[tuple[str, Any]]:
    for number in sorted(signal.valid_signals()):
        yield f"The handler of {signal_name(number)}", parents_signal_handler(number)
    for (module, name), hook in Hooks().items():
        yield f"{module.__name__}.{name}", hook
    loop = None if current_runtime.node is None else current_runtime.node.loop
    if loop is not None:
        for number, handle in list(getattr(loop, "_signal_handlers", {}).items()):
            yield f"The event loop's handler of {signal_name(number)}", getattr(handle, "_callback", None)
        yield from _watchers(loop)
        yield "The event loop's exception handler", loop.get_exception_handler()
        yield "The event loop's task factory", loop.get_task_factory()


def _watchers(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[str, Any]]:
    """Yield what the event loop calls when a descriptor is ready (`add_reader`, `add_writer`)."""
    watched = getattr(getattr(loop, "_selector", None), "_fd_to_key", {})
    for number, key in list(watched.items()):
        for kind, handle in zip(("reader", "writer"), key.data or (), strict=False):
            yield f"The event loop's {kind} of descriptor {number}", getattr(handle, "_callback", None)


def _finalizers() -> Iterator[tuple[str, Any]]:
    """Yield the functions that run when an object is collected (`weakref.finalize`)."""
    registered: dict[Any, Any] = getattr(weakref.finalize, "_registry", {})
    for info in list(registered.values()):
        target = info.weakref()
        kind = type(target).__qualname__
        yield f"The finalizer of {'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind}", info.func


def _code_of(hook: Any) -> list[Any]:
    """Return the function, and the class of the object whose method it is."""
    while isinstance(hook, functools.partial):
        hook = hook.func
    return [hook.__func__, type(hook.__self__)] if isinstance(hook, MethodType) else [hook, type(hook)]

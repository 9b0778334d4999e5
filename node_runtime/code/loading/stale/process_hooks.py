"""Finds objects of replaced versions that the OS process, the event loop and libraries still call.

Such objects are signal handlers, hooks, the filters and handlers of loggers, and the functions of `sqlite3` and
`copyreg`.
"""

from __future__ import annotations

import asyncio
import copyreg
import functools
import logging
import signal
import sys
import weakref
from collections.abc import Callable, Container, Iterator, Mapping
from itertools import chain
from types import FunctionType, MethodType
from typing import Any, Final

from node_runtime.code.forked_child import parents_signal_handler, signal_name
from node_runtime.code.registrations import Hooks
from node_runtime.code.registrations.views import loggers
from node_runtime.processes import current_runtime

_SET_AGAIN: Final = "set it again after the upgrade, or let the body of {module} set it, so that a load replaces it"
_ADD_AGAIN: Final = (
    "after the upgrade, remove it and add the new one, or let the body of {module} add it, so that a load replaces it"
)
_NEW_FINALIZER: Final = (
    "after the upgrade, call its `detach` and make a new finalizer, or give `weakref.finalize` a function of a module "
    "that does not change"
)


def kept_hooks(origin: Callable[[Any], str | None]) -> Iterator[tuple[Any, str]]:
    """Yield (registration, sentence) for each hook that is an object of the replaced version of a module.

    The registration is the hook; for a filter or formatter of a logging handler, it is this handler. `origin` returns
    the module of a function or class that a load replaces, and None for other objects.
    """
    for title, hook, registration, remedy in chain(
        ((title, hook, hook, _SET_AGAIN) for title, hook in chain(_hooks(), _functions_for_classes())),
        ((title, hook, registration, _ADD_AGAIN) for title, hook, registration in _of_loggers()),
        ((title, hook, hook, _NEW_FINALIZER) for title, hook in _finalizers()),
    ):
        if (module := next(filter(None, map(origin, _code_of(hook))), None)) is not None:
            stays = f"{title} is still {_kind(hook)} of the replaced version of {module}"
            yield registration, f"{stays}: {remedy.format(module=module)}."


def unserved_classes(replaced: Mapping[type, tuple[str, type | None]], batch: Container[str]) -> Iterator[str]:
    """Yield a sentence for each function that `sqlite3` or `copyreg` has for an old class, but not for the new class.

    Only functions of modules outside the load count. `replaced` has the name and the new version of each class that the
    load of `batch` replaces.
    """
    for title, cls, function, known in _registered_for_classes():
        name, after = replaced.get(cls, ("", None))
        module = getattr(function, "__module__", None)
        if after is not None and module is not None and module not in batch and after not in known:
            yield (
                f"{title} is registered for the old class {name}, but not for the new class: let the appup load "
                f"{module} too."
            )


def _kind(hook: Any) -> str:
    is_function = issubclass(type(hook), (FunctionType, MethodType, functools.partial))
    return "a function" if is_function else "a class" if issubclass(type(hook), type) else "an object"


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


def _of_loggers() -> Iterator[tuple[str, Any, Any]]:
    """Yield the filters and handlers of loggers, and the filters and formatters of these handlers."""
    for logger in (logging.root, *loggers()):
        for one in list(logger.filters):
            yield f"A filter of the logger {logger.name}", one, one
        for handler in list(logger.handlers):
            yield f"A handler of the logger {logger.name}", handler, handler
            yield f"The formatter of a handler of the logger {logger.name}", handler.formatter, handler
            for one in list(handler.filters):
                yield f"A filter of a handler of the logger {logger.name}", one, handler


def _functions_for_classes() -> Iterator[tuple[str, Any]]:
    for title, _, function, _ in _registered_for_classes():
        yield title, function
    for name, function in list(getattr(sys.modules.get("sqlite3"), "converters", {}).items()):
        yield f"The converter of sqlite3 for {name}", function


def _registered_for_classes() -> Iterator[tuple[str, type, Any, Container[Any]]]:
    """Yield each function that is registered for a class, with this class and all classes that have a function."""
    reducers = copyreg.dispatch_table
    for cls, function in list(reducers.items()):
        yield f"The function of copyreg for {cls.__qualname__}", cls, function, reducers
    adapters = getattr(sys.modules.get("sqlite3"), "adapters", {})
    adapted = {cls for cls, _ in adapters}
    for (cls, _), function in list(adapters.items()):
        yield f"The adapter of sqlite3 for {cls.__qualname__}", cls, function, adapted


def _watchers(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[str, Any]]:
    """Yield the functions that the event loop calls when a descriptor is ready (`add_reader`, `add_writer`)."""
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
    """Return the function of a hook and, if the hook is a bound method, the class of its object."""
    while issubclass(type(hook), functools.partial):
        hook = hook.func
    return [hook.__func__, type(hook.__self__)] if issubclass(type(hook), MethodType) else [hook, type(hook)]

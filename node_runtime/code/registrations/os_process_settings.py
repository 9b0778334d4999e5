"""Settings of the OS process and of the interpreter, which all code shares: umask, locale, hooks, limits.

Settings belong to no version of a module, so a revert of the code does not restore them. `sys.meta_path`,
`sys.path_hooks` and `builtins.__import__` are not included: an imported library may change them, and stays imported.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from node_runtime.code.forked_child import signal_name
from node_runtime.processes import current_runtime
from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.processes.runtime import Runtime

from .views import Hooks, SignalHandlers, WarningFilters

ABSENT: Final = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""The value of a setting that does not exist, such as an environment variable."""

_SettingKey = tuple[str, Any]
_Access = tuple[_SettingKey, Callable[[], Any], Callable[[Any], object]]
"""The kind and the name of a setting (None if the kind has only one setting), and its getter and setter."""
_HANDLER: Final = "the handler of"
_HOOK: Final = "the hook"
_FILTERS: Final = "the filters of warnings"
_VARIABLE: Final = "the environment variable"
_LIST: Final = "the list"
_DIRECTORY: Final = "the working directory"
_UMASK: Final = "the umask"
_RECURSION: Final = "the recursion limit"
_LOCALE: Final = "the locale"
_REGISTERED: Final = frozenset({_HANDLER, _HOOK, _FILTERS, _LIST})
_SHOWN: Final = {_DIRECTORY: "{}", _UMASK: "0o{:03o}", _RECURSION: "{}", _LOCALE: "{}"}
"""The format of a new value in messages, for kinds of settings whose values are short and not secret."""
_SEQUENCES: Final = (tuple, list)
_PLAIN: Final = (str, int, float, set)
"""The exact types that are compared by their values. The only set is the set of blocked signals."""
_OF_DECIMAL: Final = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
_LIMITS: Final = tuple(name for name in dir(resource) if name.startswith("RLIMIT_"))


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A changed setting. `registered` is true if a body's change of the setting is a registration."""

    key: _SettingKey
    before: Any
    after: Any

    @property
    def registered(self) -> bool:
        return self.key[0] in _REGISTERED

    def describe(self) -> str:
        """Return the setting, and its new value if that is short: "the umask to 0o000"."""
        shown = _SHOWN.get(self.key[0])
        return self.name() if shown is None else f"{self.name()} to {shown.format(self.after)}"

    def name(self) -> str:
        """Return the name of the setting: "the umask", "the environment variable HOME"."""
        kind, name = self.key
        if kind == _HANDLER:
            name = signal_name(name)
        elif kind == _HOOK:
            name = f"{name[0].__name__}.{name[1]}"
        return kind if name is None else f"{kind} {name}"


class SettingsNotRestored(Exception):
    """Some settings could not be given their old values. The message names them."""


class OsProcessSettings:
    """The settings at the time when this object was made. Making it takes less than a millisecond."""

    def __init__(self) -> None:
        self._values = _values()

    def changes(self, later: OsProcessSettings | None = None) -> list[SettingChange]:
        """Return the changes between these settings and `later`; by default, the settings now."""
        before, now = self._values, _values() if later is None else later._values
        # Only environment variables come and go. Another missing setting was only unreadable at that time.
        keys = [key for key in {**before, **now} if key[0] == _VARIABLE or (key in before and key in now)]
        every = (SettingChange(key, before.get(key, ABSENT), now.get(key, ABSENT)) for key in keys)
        return [change for change in every if not _are_same(change.before, change.after)]

    def put_back(self) -> None:
        """Give each changed setting its old value. Raises SettingsNotRestored if a setting can't be restored."""
        setters = {key: write for key, _, write in _accesses()}
        failed = []
        for change in self.changes():
            try:
                setters.get(change.key, partial(_set_variable, change.key[1]))(change.before)
            except Exception as error:
                failed.append(f"{change.name()} ({describe_reason(error)})")
        if failed:
            raise SettingsNotRestored(", ".join(failed))


def _values() -> dict[_SettingKey, Any]:
    """Return the values of all settings that can be read now."""
    values = {}
    for key, read, _ in _accesses():
        with suppress(Exception):  # such as a deleted directory, or a variable that another thread removes meanwhile
            values[key] = read()
    return values


def _are_same(before: Any, after: Any) -> bool:
    """Compare plain values and lists of them; other objects only by identity, because `==` may run any code."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if type(before) in _SEQUENCES:
        return len(before) == len(after) and all(map(_are_same, before, after))
    return type(before) in _PLAIN and bool(before == after)


def _accesses() -> Iterator[_Access]:
    yield (_DIRECTORY, None), os.getcwd, os.chdir
    yield (_UMASK, None), _umask, os.umask
    yield (_LOCALE, None), partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)
    yield (_RECURSION, None), sys.getrecursionlimit, sys.setrecursionlimit
    yield ("the interval of thread switches", None), sys.getswitchinterval, sys.setswitchinterval
    yield ("the thresholds of the garbage collector", None), gc.get_threshold, lambda found: gc.set_threshold(*found)
    disabled = partial(getattr, logging.root.manager, "disable")
    yield ("the level up to which logging is disabled", None), disabled, logging.disable
    yield ("the default timeout of sockets", None), socket.getdefaulttimeout, socket.setdefaulttimeout
    blocked = partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    yield ("the blocked signals", None), blocked, partial(signal.pthread_sigmask, signal.SIG_SETMASK)
    for name in _LIMITS:
        kind = getattr(resource, name)
        yield ("the limit", name), partial(resource.getrlimit, kind), partial(resource.setrlimit, kind)
    yield (_LIST, "sys.path"), lambda: list(sys.path), lambda old: _replace(sys.path, old)
    for name in ("stdin", "stdout", "stderr"):
        yield ("the stream", f"sys.{name}"), partial(getattr, sys, name, None), partial(setattr, sys, name)
    for variable in list(os.environ):
        yield (_VARIABLE, variable), partial(os.environ.__getitem__, variable), partial(_set_variable, variable)
    yield from _registered()
    yield from _of_the_loop()
    yield from _of_decimal()


def _registered() -> Iterator[_Access]:
    handlers, hooks, filters = SignalHandlers(), Hooks(), WarningFilters()
    for number in handlers:
        yield (_HANDLER, number), partial(handlers.__getitem__, number), partial(handlers.__setitem__, number)
    for hook in hooks:
        yield (_HOOK, hook), partial(hooks.__getitem__, hook), partial(hooks.__setitem__, hook)
    yield (_FILTERS, None), partial(list, filters), partial(_replace, filters)


def _of_the_loop() -> Iterator[_Access]:
    node = current_runtime.node
    loop = node.loop if isinstance(node, Runtime) else None  # a rehearsal replaces the runtime
    if isinstance(loop, asyncio.AbstractEventLoop):
        yield ("the event loop's exception handler", None), loop.get_exception_handler, loop.set_exception_handler
        yield ("the event loop's task factory", None), loop.get_task_factory, loop.set_task_factory
        yield ("the event loop's debug mode", None), loop.get_debug, loop.set_debug


def _of_decimal() -> Iterator[_Access]:
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return
    # In a copy of the context: the call may make a decimal context, which later tasks would then share.
    current = contextvars.copy_context().run(decimal.getcontext)
    for title, context in (("the decimal context's", current), ("decimal.DefaultContext's", decimal.DefaultContext)):
        for name in _OF_DECIMAL:
            yield (title, name), partial(getattr, context, name), partial(setattr, context, name)


def _replace(container: Any, values: list[Any]) -> None:
    container[:] = values


def _set_variable(variable: str, text: Any) -> None:
    if text is ABSENT:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = text


def _umask() -> int:
    """Return the umask from /proc; `os.umask` would change it for all threads. Raises OSError or IndexError."""
    return int(Path("/proc/self/status").read_text().split("\nUmask:")[1].split(None, 1)[0], 8)

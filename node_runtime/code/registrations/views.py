"""Adapts registries of the interpreter and of the standard library to containers."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from _signal import getsignal  # type: ignore[import-not-found]  # typeshed lacks it
from collections.abc import Iterator, MutableMapping, MutableSequence
from types import ModuleType
from typing import Any, Final

_set_signal_handler: Final = signal.signal
_SIGNALS: Final = tuple(signal.valid_signals())
_LOGGER_DEFAULTS: Final = {"level": logging.NOTSET, "propagate": True, "disabled": False}
Setting = tuple[logging.Logger, str]


class LoggerSettings(MutableMapping[Setting, Any]):
    """The levels and flags of loggers that differ from those of a new logger."""

    def __iter__(self) -> Iterator[Setting]:
        for logger in (logging.root, *loggers()):
            for name, default in _LOGGER_DEFAULTS.items():
                if getattr(logger, name) != default:
                    yield logger, name

    def __getitem__(self, setting: Setting) -> Any:
        logger, name = setting
        value = getattr(logger, name)
        if value == _LOGGER_DEFAULTS[name]:
            raise KeyError(setting)
        return value

    def __setitem__(self, setting: Setting, value: Any) -> None:
        logger, name = setting
        if name == "level":
            logger.setLevel(value)
        else:
            setattr(logger, name, value)

    def __delitem__(self, setting: Setting) -> None:
        self[setting] = _LOGGER_DEFAULTS[setting[1]]

    def __len__(self) -> int:
        return sum(1 for _ in self)


class SignalHandlers(MutableMapping[int, Any]):
    """The Python handlers of signals. To remove a handler means to restore the default one.

    Default handlers are plain numbers here. The handlers are read twice for each body, and `signal.getsignal` would be
    slow, because it looks each number up in an enumeration.
    """

    def __iter__(self) -> Iterator[int]:
        return iter(_SIGNALS)

    def __getitem__(self, number: int) -> Any:
        return getsignal(number)

    def __setitem__(self, number: int, handler: Any) -> None:
        if handler is not None:  # None if C code has set the handler
            _set_signal_handler(number, handler)

    def __delitem__(self, number: int) -> None:
        _set_signal_handler(number, signal.SIG_DFL)

    def __len__(self) -> int:
        return len(_SIGNALS)


class Hooks(MutableMapping[tuple[ModuleType, str], Any]):
    """Functions of modules that programs replace, such as `sys.excepthook`."""

    NAMES: Final = {
        "sys": ("excepthook", "unraisablehook", "displayhook", "breakpointhook"),
        "threading": ("excepthook",),
        "warnings": ("showwarning", "formatwarning"),
        "logging": ("lastResort", "_logRecordFactory", "_loggerClass"),
    }

    def __iter__(self) -> Iterator[tuple[ModuleType, str]]:
        for module, names in self.NAMES.items():
            if module in sys.modules:
                yield from ((sys.modules[module], name) for name in names)

    def __getitem__(self, hook: tuple[ModuleType, str]) -> Any:
        return getattr(*hook)

    def __setitem__(self, hook: tuple[ModuleType, str], value: Any) -> None:
        setattr(*hook, value)

    def __delitem__(self, hook: tuple[ModuleType, str]) -> None:
        raise KeyError(hook)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class FileTypes(MutableMapping[tuple[bool, str], str]):
    """The MIME types in `mimetypes` that differ from those at its start, by strictness and file extension."""

    def __init__(self, module: Any) -> None:
        self._module = module
        start = module.MimeTypes()
        for file in filter(os.path.isfile, module.knownfiles):
            start.read(file)
        self._at_start = start.types_map

    def __iter__(self) -> Iterator[tuple[bool, str]]:
        for strict in (True, False):
            at_start, types = self._at_start[strict], self._types(strict)
            if types != at_start:  # read twice for each body, so the usual case has no loop in Python
                yield from ((strict, name) for name, value in list(types.items()) if at_start.get(name) != value)

    def __getitem__(self, key: tuple[bool, str]) -> str:
        strict, extension = key
        value: str = self._types(strict)[extension]
        if value == self._at_start[strict].get(extension):
            raise KeyError(key)
        return value

    def __setitem__(self, key: tuple[bool, str], value: str) -> None:
        if key in self:
            del self[key]
        strict, extension = key
        self._module.add_type(value, extension, strict)

    def __delitem__(self, key: tuple[bool, str]) -> None:
        strict, extension = key
        extensions = self._module._db.types_map_inv[strict].get(self._types(strict).pop(extension), [])
        if extension in extensions:
            extensions.remove(extension)
        if extension in self._at_start[strict]:
            self._module.add_type(self._at_start[strict][extension], extension, strict)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _types(self, strict: bool) -> dict[str, str]:
        database = self._module._db
        return {} if database is None else database.types_map[strict]


class WarningFilters(MutableSequence[Any]):
    """The filters of `warnings`. A change also clears the results that `warnings` has cached."""

    def __getitem__(self, index: Any) -> Any:
        return warnings.filters[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        warnings.filters[index] = value  # type: ignore[index]  # typeshed calls it a Sequence
        self._changed()

    def __delitem__(self, index: Any) -> None:
        del warnings.filters[index]  # type: ignore[attr-defined]
        self._changed()

    def __len__(self) -> int:
        return len(warnings.filters)

    def insert(self, index: int, value: Any) -> None:
        warnings.filters.insert(index, value)  # type: ignore[attr-defined]
        self._changed()

    def _changed(self) -> None:
        getattr(warnings, "_filters_mutated", lambda: None)()


def loggers() -> list[logging.Logger]:
    """Return all loggers but the root."""
    return [each for each in list(logging.root.manager.loggerDict.values()) if isinstance(each, logging.Logger)]

"""The receivers of signals: those of Django, and those of blinker, which Flask and Quart use.

Both libraries keep weak references to receivers. But an old version stays in memory while a revert may need it, or
while anything uses it. Without this registry, its receivers would be called in addition to the new receivers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, MutableSequence
from typing import Any

from .registry import Registry


def django_signals(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the receivers of each signal in a module named `signals`, or in a global variable of the program."""
    for name, signal in _signals(module.Signal, namespaces).values():
        yield Registry(f"the receivers of Django's signal {name}", DjangoReceivers(signal), id(signal))


def blinker_signals(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the receivers of each signal in a module named `signals`, in a global variable, or with a name."""
    found = _signals(module.Signal, namespaces)
    found |= {id(signal): (name, signal) for name, signal in list(getattr(module, "default_namespace", {}).items())}
    for name, signal in found.values():
        yield Registry(f"the receivers of blinker's signal {name}", signal.receivers, id(signal))


class DjangoReceivers(MutableSequence[Any]):
    """The receivers of one signal of Django. A change also drops the caches of receivers by sender."""

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def __getitem__(self, index: Any) -> Any:
        return self._signal.receivers[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        with self._signal.lock:
            self._signal.receivers[index] = value
            self._signal.sender_receivers_cache.clear()

    def __delitem__(self, index: Any) -> None:
        with self._signal.lock:
            del self._signal.receivers[index]
            self._signal.sender_receivers_cache.clear()

    def __len__(self) -> int:
        return len(self._signal.receivers)

    def insert(self, index: int, value: Any) -> None:
        """Insert an entry that the signal's `connect` has made for a receiver."""
        with self._signal.lock:
            self._signal.receivers.insert(index, value)
            self._signal.sender_receivers_cache.clear()


def _signals(kind: type, namespaces: Iterable[dict[str, Any]]) -> dict[int, tuple[str, Any]]:
    """Return the signals of a class by their `id`, each with its name."""
    modules = [vars(module) for name, module in list(sys.modules.items()) if name.rpartition(".")[2] == "signals"]
    return {
        id(value): (name, value)
        for namespace in [*namespaces, *modules]
        for name, value in list(namespace.items())
        if issubclass(type(value), kind)
    }

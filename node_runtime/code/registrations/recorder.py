"""Records which body has made which registration, by comparing the registries before and after the body.

A body may import modules of libraries. The registrations of these libraries don't belong to the body, because the
libraries stay when the body's module is loaded again. So the recorder compares the registries whenever a body or the
import of a library begins or ends.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from .adapters import find_registries
from .late_functions import listing_registered_functions
from .registry import Contents, Registration, Registry, difference

if TYPE_CHECKING:
    from types import ModuleType

    from node_runtime.code.module_table import ModuleTable

RegistryContents = dict[Hashable, tuple[Registry, Contents]]


class Recorder:
    """Records the registrations that module bodies make, for a code server.

    Only one thread records at a time; bodies in other threads aren't recorded. A registry may be in a module whose
    version is not current yet: `_preparing` has, for each body that runs, a function that returns such namespaces.
    """

    def __init__(self, table: ModuleTable) -> None:
        self._table = table
        self._thread: int | None = None
        self._running: list[list[Registration]] = []
        self._preparing: list[Callable[[], Iterable[dict[str, Any]]]] = []
        self._in_library = False
        self._depth = 0
        self._seen: RegistryContents = {}

    @contextmanager
    def record(self, preparing: Callable[[], Iterable[dict[str, Any]]]) -> Iterator[list[Registration]]:
        """Yield a list that gets the registrations made in the body of `with`.

        The list does not get registrations made by libraries, or in the bodies of nested calls. `preparing` returns the
        namespaces whose registries count although their versions are not current yet.
        """
        made: list[Registration] = []
        thread = threading.get_ident()
        if self._thread not in (None, thread):
            yield made
            return
        outermost, self._thread = self._thread is None, thread
        self._preparing.append(preparing)
        self._look()
        self._running.append(made)
        depth, self._depth = self._depth, 0
        try:
            with self._watching() if outermost else nullcontext():
                yield made
        finally:
            self._look()
            self._running.pop()
            self._preparing.pop()
            self._depth = depth
            if outermost:
                self._thread, self._seen = None, {}

    def library_begins(self) -> None:
        """Note that the import system looks for a library's module, which the code server doesn't manage."""
        if self._thread == threading.get_ident() and self._running and not self._in_library:
            self._look()
            self._in_library = True

    def _look(self) -> None:
        """Record new registrations for the running body, unless a library has made them."""
        preparing = [namespace for each in self._preparing for namespace in each()]
        found = find_registries(self._table, preparing)
        before, self._seen = self._seen, {each.key: (each, each.contents()) for each in found}
        body, self._in_library = None if self._in_library or not self._running else self._running[-1], False
        if body is not None:
            for key, (registry, contents) in self._seen.items():
                empty: Contents = [] if isinstance(contents, list) else {}
                body += difference(registry, before[key][1] if key in before else empty, contents)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Compare the registries after each outermost import of a body; list its `atexit` and `codecs` functions."""
        original = builtins.__import__

        def watched(*args: Any, **kwargs: Any) -> ModuleType:
            if threading.get_ident() != self._thread:
                return original(*args, **kwargs)
            self._depth += 1
            try:
                return original(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._in_library and self._depth == 0:
                    self._look()

        builtins.__import__ = watched
        try:
            with listing_registered_functions():
                yield
        finally:
            if builtins.__import__ is watched:
                builtins.__import__ = original

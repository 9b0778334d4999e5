"""Finds functions and classes in containers: registries of decorators, lists of listeners, web applications."""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections import deque
from types import CellType, FunctionType, MappingProxyType, MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.show.stdlib_probes import is_followed as is_inspected
from node_runtime.code.classes.object_arrays import is_array, items_of
from node_runtime.code.classes.structs import is_struct

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

MAX_CONTAINER_SIZE: Final = 1_000
"""The maximum size of a container that is searched; a larger container is assumed to contain data."""
MAX_OBJECTS_VISITED: Final = 5_000
"""By default, the maximum number of objects that are visited for each container."""
MAX_OBJECTS_WALKED: Final = 1_000_000
"""The maximum number of objects that are visited for all global variables of a load."""

_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque)
_WRAPPERS: Final = (
    MethodType, functools.partial, functools._lru_cache_wrapper, MappingProxyType, SimpleNamespace, CellType,
)  # fmt: skip


def code_in(thing: Any, others: Container[int] = (), limit: int = MAX_OBJECTS_VISITED) -> Iterator[Any]:
    """Yield the functions and classes that `thing` refers to, the nearest first.

    Follows containers, weak references, closures, wrappers, and instances of classes of applications and third-party
    libraries. Doesn't follow loggers and tasks, because they refer to too much, and ASGI scopes, because they only lead
    to the application. Skips objects whose `id()` is in `others`. Visits at most `limit` objects, and runs none of
    their code.
    """
    waiting, seen = deque([thing]), {id(thing)}
    while waiting and len(seen) < limit:
        holder = waiting.popleft()
        for other in _references_of(holder):
            if other is type(holder) or id(other) in seen or not gc.is_tracked(other):
                continue
            seen.add(id(other))
            if issubclass(type(other), (FunctionType, type)):
                yield other
                if type(other) is FunctionType and other.__closure__:
                    waiting.append(other.__closure__)  # a decorator's wrapper keeps its function there
            elif id(other) not in others and is_followed(other):
                waiting.append(other)


def _references_of(holder: Any) -> list[Any]:
    """Return what an object refers to. A weak reference is replaced by its target, which a list of listeners calls."""
    found = gc.get_referents(holder)
    weak = [one for one in found if issubclass(type(one), weakref.ref)]
    if not weak:
        return found
    inner = [part for one in weak for part in gc.get_referents(one)]  # a WeakMethod refers weakly to its function, too
    targets = [weakref.ref.__call__(one) for one in (*weak, *inner) if issubclass(type(one), weakref.ref)]
    return [*found, *targets]


class ObjectWalk:
    """A walk through the objects that global variables refer to. A shared object is visited only once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self.cut: list[str] = []
        """The labels of the variables that were not searched completely, because of MAX_OBJECTS_WALKED."""

    def objects_in(self, thing: Any, label: str) -> Iterator[Any]:
        """Yield `thing` and all objects that it refers to, directly or indirectly, except those visited before.

        If the walk exceeds its limit, it ends, and `label` is added to `cut`.
        """
        seen = self._seen
        waiting = deque([thing] if id(thing) not in seen and _is_walked(thing) else ())
        seen.add(id(thing))
        while waiting:
            if len(seen) > MAX_OBJECTS_WALKED:
                self.cut.append(label)
                return
            holder = waiting.popleft()
            yield holder
            for other in items_of(holder) if is_array(type(holder)) else gc.get_referents(holder):
                # The collector doesn't track arrays, nor structs that hold no containers.
                may_refer = gc.is_tracked(other) or is_struct(type(other)) or is_array(type(other))
                if id(other) not in seen and may_refer and _is_walked(other):
                    seen.add(id(other))
                    waiting.append(other)


def _is_walked(thing: Any) -> bool:
    kind = type(thing)
    if issubclass(kind, (type, FunctionType)):
        return False
    if issubclass(kind, _CONTAINERS):
        return not (kind is dict and "__spec__" in thing)
    top = str(kind.__module__).partition(".")[0]
    return issubclass(kind, _WRAPPERS) or _is_application_class(kind) or is_inspected(kind, top)


def is_followed(thing: Any) -> bool:
    """Return whether the search for code follows the references of an object: see `code_in`."""
    kind = type(thing)
    container: Any = next((base for base in _CONTAINERS if issubclass(kind, base)), None)
    if container is not None:
        return container.__len__(thing) <= MAX_CONTAINER_SIZE and not (kind is dict and _is_namespace_or_scope(thing))
    return issubclass(kind, _WRAPPERS) or _is_application_class(kind)


def _is_namespace_or_scope(thing: dict[Any, Any]) -> bool:
    """Return whether a dict is the namespace of a module, or the scope of a connection in ASGI."""
    return "__spec__" in thing or ("asgi" in thing and "type" in thing)


def _is_application_class(cls: type) -> bool:
    top = str(cls.__module__).partition(".")[0]
    return top not in sys.stdlib_module_names and top != "node_runtime"


def named_containers(namespace: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield objects of a module that may refer to code of other modules, each with its name.

    They are the module's globals, and the containers that are attributes of the module's own classes.
    """
    module = namespace.get("__name__")
    for name, value in list(namespace.items()):
        if issubclass(type(value), type):
            if (value.__module__, value.__qualname__) == (module, name):
                own = [(f"{name}.{key}", part) for key, part in vars(value).items() if not key.startswith("__")]
                yield from (pair for pair in own if issubclass(type(pair[1]), _CONTAINERS))
        elif not name.startswith("__") and type(value) is not FunctionType and is_followed(value):
            yield name, value

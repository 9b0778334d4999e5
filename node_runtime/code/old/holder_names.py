"""Names for the holders of an old version, and short descriptions of the held objects."""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, AbstractServer, Handle, Task
from concurrent.futures import Executor
from threading import Thread
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Final

from node_runtime.behaviours.upgrade.live_processes import CallbackVersion
from node_runtime.code.forked_child import handled_signal
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.messages import OldCodeHolder

from .caches import CACHE, cache_name, cache_title, unfound_cache_title
from .connections import CONNECTION, is_connection
from .thread_variables import ThreadVariables

if TYPE_CHECKING:
    from node_runtime.protocol.messages import HolderKind

NODE: Final = "the node itself"
"""The name of a holder that is one of the node's own tasks or threads, which nothing ends."""
_OWN_PACKAGES: Final = "node_runtime.cli.", "node_runtime.control.", "node_runtime.releases."
_NODE_OBJECTS: Final = Runtime, AbstractEventLoop
"""Objects to which every process and task refers. The search stops at them, since it would name all processes."""
WITH_FRAME: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)
_FRAMES: Final = "cr_frame", "gi_frame", "ag_frame"


def task_name(task: Task[Any]) -> str:
    """Return how messages name a task: `task Task-3 (shop.box.poll)`."""
    coroutine = task.get_coro()
    return f"task {task.get_name()} ({code_name(coroutine)})"


def is_of_node(thing: object) -> bool:
    """Return whether `thing` is one of the node's own tasks or threads, such as its main task."""
    if isinstance(thing, Task):
        return code_name(thing.get_coro()).startswith(_OWN_PACKAGES)
    return isinstance(thing, Thread) and thing.name.startswith("node_runtime.")


def is_of_runtime(thing: object) -> bool:
    """Return whether `thing` is a task that runs a function of the runtime, such as the task of an ASGI lifespan."""
    return isinstance(thing, Task) and code_name(thing.get_coro()).startswith("node_runtime.")


def code_name(suspended: Any) -> str:
    """Return the full name of the function of a coroutine or generator, such as "shop.box.poll"."""
    frame = next((frame for name in _FRAMES if (frame := getattr(suspended, name, None)) is not None), None)
    module = None if frame is None else frame.f_globals.get("__name__")
    qualname = getattr(suspended, "__qualname__", type(suspended).__qualname__)
    return f"{module}.{qualname}" if module else str(qualname)


def owner(thing: Any, held: object) -> OldCodeHolder | None:
    """Return `thing` as a holder if it has a name that people know, as a task or a timer has; else None.

    `held` is the object to which `thing` refers. The field `does` of the result is empty; the caller sets it.
    """
    found: tuple[HolderKind, str] | None = None
    if is_of_node(thing) or isinstance(thing, _NODE_OBJECTS):
        found = "object", NODE
    elif (handled := handled_signal(thing, held)) is not None:
        found = "object", f"the handler of {handled}"
    elif isinstance(thing, dict) and "__spec__" in thing:
        name = next((name for name, value in thing.items() if value is held), "?")
        found = "object", f"{thing.get('__name__')}.{name}"
    elif isinstance(thing, Handle) or (type(thing).__module__ == "uvloop.loop" and not is_connection(thing)):
        found = _handle(thing)
    elif isinstance(thing, Executor):
        found = "executor", f"executor {getattr(thing, '_thread_name_prefix', '') or type(thing).__qualname__}"
    elif isinstance(thing, AbstractServer):
        found = "server", "a server of the event loop"
    elif is_connection(thing):
        found = "server", CONNECTION
    elif isinstance(thing, Thread):  # a thread that has ended no longer refers to its function
        found = "thread", f"thread {thing.name}"
    elif isinstance(thing, ThreadVariables):
        found = "thread", f"thread {thing.thread}"
    elif type(thing) is CACHE and (name := cache_name(thing)) is not None:
        return OldCodeHolder(kind="object", name=cache_title(name), does="", cache=name)
    elif isinstance(thing, Task) and not thing.done():
        return OldCodeHolder(kind="task", name=task_name(thing), does="", task=thing.get_name())
    return None if found is None else OldCodeHolder(kind=found[0], name=found[1], does="")


def ended_owner(thing: Any, held: object) -> OldCodeHolder | None:
    """Return `thing` as a holder if it is an ended task, an exception, or a cache without a name; else None.

    The field `does` is empty, as in the result of `owner`. The caller also searches for objects that refer to `thing`,
    because one of them may have a better-known name.
    """
    kept = f"the exception {type(held).__name__}" if isinstance(held, BaseException) else "the result"
    if isinstance(thing, Task) and thing.done():
        return OldCodeHolder(kind="object", name=f"{kept} of the ended task {thing.get_name()}", does="")
    if type(thing) is CACHE:
        return OldCodeHolder(kind="object", name=unfound_cache_title(thing), does="")
    if isinstance(thing, BaseException):
        return OldCodeHolder(kind="object", name=f"an exception {type(thing).__name__}", does="")
    return None


def _handle(handle: Any) -> tuple[HolderKind, str] | None:
    name = type(handle).__name__
    if name not in ("Handle", "TimerHandle") or handle.cancelled():
        return None
    return ("timer", "a timer of the event loop") if name == "TimerHandle" else ("callback", "a callback of the loop")


def is_current_namespace(thing: dict[str, Any]) -> bool:
    """Return whether a dict is the namespace of the current version of a loaded module."""
    module = sys.modules.get(str(thing.get("__name__")))
    return module is not None and module.__dict__ is thing


def described(thing: Any) -> str:
    """Describe an object in a few words, without running code of its class."""
    if isinstance(thing, FunctionType):
        return f"{thing.__module__}.{thing.__qualname__}"
    if isinstance(thing, (type, CallbackVersion)):
        return f"class {_class_name(thing)}"
    if isinstance(thing, MethodType):
        return f"the bound method {described(thing.__func__)}"
    if isinstance(thing, WITH_FRAME):
        return f"the suspended {code_name(thing)}"
    if isinstance(thing, dict) and "__spec__" in thing:
        return f"the namespace of {thing.get('__name__')}"
    return f"an instance of {type(thing).__module__}.{type(thing).__qualname__}"


def _class_name(cls: type | CallbackVersion) -> str:
    """Return the full name of `cls`, a class or a CallbackVersion of it."""
    module, name = (cls.__module__, cls.__qualname__) if isinstance(cls, type) else (cls.module, cls.qualname)
    return f"{module}.{name}"

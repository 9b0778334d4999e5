"""Structs about old versions of modules and their holders, and the requests that purge old versions."""

from __future__ import annotations

from typing import Literal

from .struct import WireStruct


class GetSource(WireStruct, frozen=True):
    """A request for the source of a module."""

    module: str


class ModuleSource(WireStruct, frozen=True):
    """The sources of a module's versions, as they are on the disk. `old` is None if there is no old version.

    `drift` is a sentence if the loaded code differs from its file; otherwise it is empty.
    """

    module: str
    current: str
    old: str | None = None
    drift: str = ""


HolderKind = Literal["process", "task", "requests", "thread", "timer", "callback", "executor", "server", "object"]


class OldCodeHolder(WireStruct, frozen=True):
    """A process, task or object that keeps an old version in memory: it runs or holds the version's code.

    `name` is the holder's name in messages, such as "box <12>", "task Task-3 (shop.box.poll)" or
    "shop.tables.HANDLERS". `does` is a clause such as "runs shop.box.poll" or "holds an instance of shop.box.Item".
    `pid` is the pid of the process. For a task, `pid` is the pid of the process that has started the task, or None if
    that is unknown. `task` is the name of a task. `cache` is the name of a cache of `functools`, "module:name". A
    holder of the kind "requests" is a number of open requests of a web listener, such as "2 websockets of the listener
    site"; `number` is this number.
    """

    kind: HolderKind
    name: str
    does: str
    pid: int | None = None
    task: str | None = None
    cache: str | None = None
    number: int = 1


class OldCode(WireStruct, frozen=True):
    """The old version of a module, and the holders that keep this version in memory.

    If only garbage keeps the version, `holders` is empty, and `collection` is the number of seconds for which a garbage
    collection would stop the node. Otherwise `collection` is None.
    """

    module: str
    vsn: str
    holders: tuple[OldCodeHolder, ...] = ()
    collection: float | None = None


class OldCodeList(WireStruct, frozen=True):
    """The old versions of all modules."""

    modules: tuple[OldCode, ...]


class PurgeModule(WireStruct, frozen=True):
    """The request to purge the old version of `module`: to end its holders, and to drop it.

    The node refuses the request if it has booted again since the client listed the holders.
    """

    module: str
    boot_id: str
    reason: str | None = None


class Purged(WireStruct, frozen=True):
    """The result of a purge: the processes killed, the tasks cancelled, the caches cleared, and the holders `left`.

    `closed` are the open requests and connections that were closed, in words, such as "2 websockets of the listener
    site". The holders in `left` still keep code of the old version, even if the node has `dropped` the version. If the
    node has not dropped the version, some of these holders still run it, and no other version can be loaded.
    """

    module: str
    dropped: bool
    killed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    left: tuple[OldCodeHolder, ...] = ()
    cleared: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


class TaskInfo(WireStruct, frozen=True):
    """A task of the event loop that no process owns. `pid` is the process that started the task, if known."""

    name: str
    title: str
    pid: int | None = None


class TaskList(WireStruct, frozen=True):
    """The tasks of the event loop that no process owns."""

    tasks: tuple[TaskInfo, ...]


class TaskTarget(WireStruct, frozen=True):
    """All tasks named `name` that no process owns. The node refuses the request if there is no such task."""

    name: str
    boot_id: str
    reason: str | None = None

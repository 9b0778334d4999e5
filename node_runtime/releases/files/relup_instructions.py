"""The low-level instructions of a relup, one class each. Follows OTP's appup(4) and relup(4).

A script is a list of instructions. Code that must handle every instruction is a `match` that ends in `assert_never`. If
a class is added to `RelupInstruction`, the type checker reports each `match` that does not handle it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from node_runtime.protocol.messages import Direction

PurgeMode: TypeAlias = Literal["soft_purge", "brutal_purge"]
SuspendTimeout: TypeAlias = float | Literal["infinity"]
"""Seconds, or "infinity"."""


class LoadObjectCode(msgspec.Struct, frozen=True):
    """Reads the new code of modules of one application, without loading it."""

    name: ClassVar[str] = "load_object_code"
    application: str
    vsn: str
    modules: tuple[str, ...]


class PointOfNoReturn(msgspec.Struct, frozen=True):
    """Separates the instructions that check and prepare from the instructions after it, which change the node."""

    name: ClassVar[str] = "point_of_no_return"


class Load(msgspec.Struct, frozen=True):
    """Makes the new version of a module current.

    `post_purge` says what a later `Purge` does with processes that run the old version.
    """

    name: ClassVar[str] = "load"
    module: str
    pre_purge: PurgeMode = "soft_purge"
    post_purge: PurgeMode = "soft_purge"


class Remove(msgspec.Struct, frozen=True):
    """Removes a module: its current version becomes old, and no version is current."""

    name: ClassVar[str] = "remove"
    module: str
    pre_purge: PurgeMode = "soft_purge"
    post_purge: PurgeMode = "soft_purge"


class Purge(msgspec.Struct, frozen=True):
    """Purges the old versions of modules."""

    name: ClassVar[str] = "purge"
    modules: tuple[str, ...]


class SuspendedModule(msgspec.Struct, frozen=True):
    """A module whose processes are suspended.

    `timeout` is the number of seconds in which the processes have to end their callbacks; None means the default.
    """

    module: str
    timeout: SuspendTimeout | None = None


class SuspendProcesses(msgspec.Struct, frozen=True):
    """Suspends the processes of modules (OTP's `suspend`)."""

    name: ClassVar[str] = "suspend"
    modules: tuple[SuspendedModule, ...]


class ResumeProcesses(msgspec.Struct, frozen=True):
    """Resumes the processes of modules (OTP's `resume`)."""

    name: ClassVar[str] = "resume"
    modules: tuple[str, ...]


class ChangedModule(msgspec.Struct, frozen=True):
    """A module for whose processes `code_change` is called with the argument `extra`, a JSON value."""

    module: str
    extra: Any


class CodeChange(msgspec.Struct, frozen=True):
    """Calls `code_change` for each process of the modules."""

    name: ClassVar[str] = "code_change"
    direction: Direction
    modules: tuple[ChangedModule, ...]


class StopProcesses(msgspec.Struct, frozen=True):
    """Terminates the supervised children that run one of the modules (OTP's `stop`)."""

    name: ClassVar[str] = "stop"
    modules: tuple[str, ...]


class StartProcesses(msgspec.Struct, frozen=True):
    """Restarts those children of the modules that `StopProcesses` terminated (OTP's `start`)."""

    name: ClassVar[str] = "start"
    modules: tuple[str, ...]


class RestartChild(msgspec.Struct, frozen=True):
    """Ends a child of a supervisor, and starts it anew in the current code. OTP has no such instruction."""

    name: ClassVar[str] = "restart_child"
    supervisor: str
    child: str


class Apply(msgspec.Struct, frozen=True):
    """Calls the function "module:name" with `args`, which are JSON values.

    If the install fails later, the function `undo` is called with the same `args`.
    """

    name: ClassVar[str] = "apply"
    function: str
    args: tuple[Any, ...] = ()
    undo: str | None = None


class SyncNodes(msgspec.Struct, frozen=True):
    """Waits until the other nodes have reached the same synchronization point."""

    name: ClassVar[str] = "sync_nodes"
    id: str
    nodes: tuple[str, ...]


class RestartEmulator(msgspec.Struct, frozen=True):
    """Restarts the node after all other instructions."""

    name: ClassVar[str] = "restart_emulator"


class RestartNewEmulator(msgspec.Struct, frozen=True):
    """Restarts the node before all other instructions."""

    name: ClassVar[str] = "restart_new_emulator"


RelupInstruction: TypeAlias = (
    LoadObjectCode
    | PointOfNoReturn
    | Load
    | Remove
    | Purge
    | SuspendProcesses
    | ResumeProcesses
    | CodeChange
    | StopProcesses
    | StartProcesses
    | RestartChild
    | Apply
    | SyncNodes
    | RestartEmulator
    | RestartNewEmulator
)
"""A low-level instruction. `name` is its name in OTP's appup files."""

"""The low-level instructions of a relup, one class each. Follows OTP's appup(4) and relup(4).

A script is a list of instructions. Code that must handle every instruction is a `match` that ends in `assert_never`. If
a class is added to `RelupInstruction`, the type checker reports each `match` that does not handle it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from node_runtime.protocol.messages import Direction

PurgeMode: TypeAlias = Literal["soft_purge", "brutal_purge"]
SuspendTimeout: TypeAlias = float | Literal["infinity"]
"""Seconds, or "infinity"."""


@dataclass(frozen=True, slots=True)
class LoadObjectCode:
    """Reads the new code of modules of one application, without loading it."""

    name: ClassVar[str] = "load_object_code"
    application: str
    vsn: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PointOfNoReturn:
    """Separates the instructions before it, which check and prepare, from those that change the node."""

    name: ClassVar[str] = "point_of_no_return"


@dataclass(frozen=True, slots=True)
class Load:
    """Makes the new version of a module current.

    `post_purge` says what a later `Purge` does with processes that run the old version.
    """

    name: ClassVar[str] = "load"
    module: str
    pre_purge: PurgeMode = "soft_purge"
    post_purge: PurgeMode = "soft_purge"


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes a module: its current version becomes old, and no version is current."""

    name: ClassVar[str] = "remove"
    module: str
    pre_purge: PurgeMode = "soft_purge"
    post_purge: PurgeMode = "soft_purge"


@dataclass(frozen=True, slots=True)
class Purge:
    """Purges the old versions of modules."""

    name: ClassVar[str] = "purge"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SuspendedModule:
    """A module whose processes are suspended.

    `timeout` limits how long the processes may take to end their callbacks; None means the default.
    """

    module: str
    timeout: SuspendTimeout | None = None


@dataclass(frozen=True, slots=True)
class SuspendProcesses:
    """Suspends the processes of modules (OTP's `suspend`)."""

    name: ClassVar[str] = "suspend"
    modules: tuple[SuspendedModule, ...]


@dataclass(frozen=True, slots=True)
class ResumeProcesses:
    """Resumes the processes of modules (OTP's `resume`)."""

    name: ClassVar[str] = "resume"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedModule:
    """A module for whose processes `code_change` is called with the argument `extra`, a JSON value."""

    module: str
    extra: Any


@dataclass(frozen=True, slots=True)
class CodeChange:
    """Calls `code_change` for each process of the modules."""

    name: ClassVar[str] = "code_change"
    direction: Direction
    modules: tuple[ChangedModule, ...]


@dataclass(frozen=True, slots=True)
class StopProcesses:
    """Terminates the supervised children that run one of the modules (OTP's `stop`)."""

    name: ClassVar[str] = "stop"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartProcesses:
    """Restarts those children of the modules that `StopProcesses` terminated (OTP's `start`)."""

    name: ClassVar[str] = "start"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Ends a child of a supervisor, and starts it anew in the current code. OTP has no such instruction."""

    name: ClassVar[str] = "restart_child"
    supervisor: str
    child: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Calls the function "module:name" with `args`, which are JSON values.

    If the install fails later, the function `undo` is called with the same `args`.
    """

    name: ClassVar[str] = "apply"
    function: str
    args: tuple[Any, ...] = ()
    undo: str | None = None


@dataclass(frozen=True, slots=True)
class SyncNodes:
    """Waits until the other nodes have reached the same synchronization point."""

    name: ClassVar[str] = "sync_nodes"
    id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestartEmulator:
    """Restarts the node after all other instructions."""

    name: ClassVar[str] = "restart_emulator"


@dataclass(frozen=True, slots=True)
class RestartNewEmulator:
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

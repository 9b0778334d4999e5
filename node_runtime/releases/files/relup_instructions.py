"""The low-level instructions of a relup, one class each. Follows OTP's appup(4) and relup(4).

A script is a list of instructions. Code that must handle every instruction is a `match` that ends in `assert_never`: a
class that is added to `RelupInstruction` is then a type error in each of these places until it is handled there. Only
`relup/relup_json.py` makes the arrays of `node-runtime relup --json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from node_runtime.protocol.messages import Direction

PurgeMode: TypeAlias = Literal["soft_purge", "brutal_purge"]
SuspendTimeout: TypeAlias = float | Literal["infinity"]
"""Seconds."""


@dataclass(frozen=True, slots=True)
class LoadObjectCode:
    """Reads the code of modules of an application, without loading it."""

    name: ClassVar[str] = "load_object_code"
    application: str
    vsn: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PointOfNoReturn:
    """Separates the instructions that check and prepare from those that change the node."""

    name: ClassVar[str] = "point_of_no_return"


@dataclass(frozen=True, slots=True)
class Load:
    """Makes the new version of a module current. `post_purge` says how its old version is purged."""

    name: ClassVar[str] = "load"
    module: str
    pre_purge: PurgeMode = "soft_purge"
    post_purge: PurgeMode = "soft_purge"


@dataclass(frozen=True, slots=True)
class Remove:
    """Makes a module's current version old, without a new one."""

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
    """A module whose processes are suspended, and the time that they have to end their callback (None: the default)."""

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
    """A module whose processes go through `code_change`, which gets `extra`. `extra` is JSON."""

    module: str
    extra: Any


@dataclass(frozen=True, slots=True)
class CodeChange:
    """Calls `code_change` for the processes of modules."""

    name: ClassVar[str] = "code_change"
    direction: Direction
    modules: tuple[ChangedModule, ...]


@dataclass(frozen=True, slots=True)
class StopProcesses:
    """Terminates the children that run one of the modules (OTP's `stop`)."""

    name: ClassVar[str] = "stop"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartProcesses:
    """Restarts the children that `StopProcesses` has terminated (OTP's `start`)."""

    name: ClassVar[str] = "start"
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apply:
    """Calls `function`, a "module:function" string. `undo` reverts the call and gets the same JSON `args`."""

    name: ClassVar[str] = "apply"
    function: str
    args: tuple[Any, ...] = ()
    undo: str | None = None


@dataclass(frozen=True, slots=True)
class SyncNodes:
    """Waits at a synchronization point for other nodes."""

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
    | Apply
    | SyncNodes
    | RestartEmulator
    | RestartNewEmulator
)
"""A low-level instruction; its `name` is OTP's."""

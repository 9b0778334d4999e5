"""Keys of a selection: they identify the selected object, never its row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessKey:
    """The identity of one process: a pid is never reused within a boot."""

    boot_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class ChildKey:
    """A child specification without a process."""

    boot_id: str
    supervisor: int
    child_id: str


@dataclass(frozen=True, slots=True)
class GroupKey:
    """An application, or the processes that belong to no application."""

    name: str


@dataclass(frozen=True, slots=True)
class FoldKey:
    """The row of the tree that replaces the folded children of the row at `path`."""

    path: str


Key = ProcessKey | ChildKey | GroupKey | FoldKey

"""The place of this OS process among the workers of the node: its number, its name and its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from node_runtime.releases.store.release_store import ReleaseStore

from .reading_store import ReadingStore


class WorkerPlace(msgspec.Struct, frozen=True):
    """A worker of the node. Worker 1 leads: only worker 1 changes the releases and the commit record."""

    number: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is worker 1."""
        return self.number == 1

    def var(self, directory: Path) -> Path:
        """Return the folder of the worker's own lock, history and uploads. Worker 1 has the node's var/ itself."""
        var = directory / "var"
        return var if self.leads else var / "workers" / str(self.number)

    def node_name(self, name: str) -> str:
        """Return the name by which clients reach the worker: for worker 1 the node's name, else like `fil.2@host`."""
        node, _, host = name.partition("@")
        return name if self.leads else f"{node}.{self.number}@{host}"

    def open_store(self, root: Path, used_paths: Callable[[], set[str]]) -> ReleaseStore:
        """Return the store of the node's releases. Only worker 1 gets a store that can change the releases.

        For worker 1, the leftovers of interrupted changes are deleted.
        """
        return ReleaseStore.at_boot(root, used_paths) if self.leads else ReadingStore(root, used_paths)


ONLY_WORKER = WorkerPlace()
"""The place of the only worker, or of worker 1."""

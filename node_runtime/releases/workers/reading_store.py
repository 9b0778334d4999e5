"""A read-only release store for workers other than worker 1: only worker 1 stages and commits releases."""

from __future__ import annotations

from collections.abc import Callable

from node_runtime.releases.signing.trust_policy import TrustPolicy, read_trust_policy
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.release_store import ReleaseStore


class ReadingStore(ReleaseStore):
    """A `ReleaseStore` that never writes. After a change by worker 1, `read_again` has to be called."""

    def read_again(self, vsn: str) -> None:
        """Read the commit record and the release `vsn` again. Raises `Refused`."""
        self.record = self._read()
        self.catalog.forget(vsn)
        self.entry(vsn)

    def trust_policy(self) -> TrustPolicy:
        """Return the release keys and the settings of the node. Unlike worker 1, don't remember them in var/."""
        return read_trust_policy(self.root)

    def _change(self, change: Callable[[commit_record.CommitRecord], commit_record.CommitRecord]) -> None:
        self.record = self._read()  # only worker 1 writes the record

"""Reports of what a gateway refuses: one sentence per interval, however many connections are refused."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from .seam import GatewayReport, LoginsRefused, SeamMessage

REPORT_SECONDS: Final = 10.0
"""Seconds between two sentences about limits. The first sentence after a quiet time is sent at once."""
MAX_REPORTED_ADDRESSES: Final = 8
MAX_REPORTED_KEYS: Final = 4
"""The maximum number of keys that the reports name for one address."""


class Reports:
    """Counts refusals until the next report is due."""

    def __init__(self) -> None:
        self._limits: Counter[str] = Counter()
        self._logins: dict[str, Counter[bytes]] = {}
        self._due = 0.0

    def limit_reached(self, clause: str) -> None:
        """Count a connection that was closed because of a limit; `clause` is one of a few fixed texts."""
        self._limits[clause] += 1

    def login_refused(self, address: str, key: bytes) -> None:
        """Count a connection that was refused because its key is not valid."""
        if address not in self._logins and len(self._logins) >= MAX_REPORTED_ADDRESSES:
            address = ""
        keys = self._logins.setdefault(address, Counter())
        keys[key if key in keys or len(keys) < MAX_REPORTED_KEYS else b""] += 1

    @property
    def waiting(self) -> bool:
        """Whether there are counted refusals that have not been reported yet."""
        return bool(self._limits or self._logins)

    def clear(self) -> None:
        """Forget the counted refusals."""
        self._limits.clear()
        self._logins.clear()

    def take(self) -> Iterator[SeamMessage]:
        """Yield the reports that are due. Reports about logins are always due: the node limits its log entries."""
        for address, keys in self._logins.items():
            for key, count in keys.items():
                yield LoginsRefused(address, key, count)
        self._logins.clear()
        if self._limits and time.monotonic() >= self._due:
            self._due = time.monotonic() + REPORT_SECONDS
            reasons = ", ".join(f"{count:,} because {clause}" for clause, count in self._limits.most_common())
            count = self._limits.total()
            yield GatewayReport(f"The control plane closed {count:,} connection{'s' * (count != 1)}: {reasons}.")
            self._limits.clear()

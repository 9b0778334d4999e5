"""Defaults of a probation: its deadline and its health limits, for the keys that node.toml's [probation] leaves out."""

from __future__ import annotations

from typing import Final

DEFAULT_DEADLINE_SECONDS: Final = 600.0
"""The node reverts if the release is not committed within this time; 0 means no deadline."""
DEFAULT_HEALTHY_SECONDS: Final = 10.0
"""Health is good after this time without trouble."""
DEFAULT_MAX_RESTARTS: Final = 3
"""More restarts of processes are bad health."""
DEFAULT_MAX_ERRORS: Final = 10
"""More log records of level ERROR are bad health."""
DEFAULT_MAX_LAG_SECONDS: Final = 1.0
"""An event loop that is repeatedly later than this is bad health."""

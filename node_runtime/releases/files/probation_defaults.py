"""Defaults of a probation: its deadline and its health limits, for the keys that node.toml's [probation] leaves out."""

from __future__ import annotations

from typing import Final

DEFAULT_DEADLINE_SECONDS: Final = 600.0
"""The node reverts if the release is not committed within this time; 0 means no deadline."""
DEFAULT_HEALTHY_SECONDS: Final = 10.0
"""Health is good after this time without trouble."""
DEFAULT_MAX_RESTARTS: Final = 3
"""Health is bad after more restarts of processes than this."""
DEFAULT_MAX_ERRORS: Final = 10
"""Health is bad after more log records of level ERROR than this."""
DEFAULT_MAX_LAG_SECONDS: Final = 1.0
"""Health is bad when the event loop is repeatedly later than this."""

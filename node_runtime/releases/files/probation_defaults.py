"""Defaults of the keys in node.toml's table [probation]: the deadline, and the limits of health."""

from __future__ import annotations

from typing import Final

DEFAULT_DEADLINE_SECONDS: Final = 600.0
"""The node reverts to the permanent release if the new one is not committed within this time; 0: no deadline."""
DEFAULT_HEALTHY_SECONDS: Final = 10.0
"""Health is good after this time without a restart, a logged error, a late event loop or a bad health check."""
DEFAULT_MAX_RESTARTS: Final = 3
"""Health is bad after more restarts of processes than this."""
DEFAULT_MAX_ERRORS: Final = 10
"""Health is bad after more crashes and log records of level ERROR than this."""
DEFAULT_MAX_LAG_SECONDS: Final = 1.0
"""Health is bad if the event loop is later than this in several successive checks."""

"""The node's own loggers, which a release can't disable by accident.

`logging.config.dictConfig` and `fileConfig` disable all existing loggers that the configuration doesn't name. Therefore
a release that uses these functions would silence the node's messages about upgrades and crashes.
"""

from __future__ import annotations

import logging
from typing import Final

OWN: Final = "node_runtime"


class EnabledLogger(logging.Logger):
    """A logger whose `disabled` is always False. Its level, handlers and filters can be configured as usual."""

    @property
    def disabled(self) -> bool:
        """False."""
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        """Ignore the value."""


def keep_own_loggers_enabled() -> None:
    """Make the runtime's loggers ignore `disabled`, from now on."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == OWN and type(logger) is logging.Logger:
            logger.__class__ = EnabledLogger

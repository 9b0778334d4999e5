"""Which handlers and filters the loggers have: a body that adds one adds it once more each time."""

from __future__ import annotations

import logging


def log_listeners() -> dict[int, str]:
    """The loggers' names, by the identities of the handlers and filters that each has."""
    known = [logging.root, *list(logging.root.manager.loggerDict.values())]
    loggers = [logger for logger in known if isinstance(logger, logging.Logger)]
    return {id(listener): logger.name for logger in loggers for listener in (*logger.handlers, *logger.filters)}

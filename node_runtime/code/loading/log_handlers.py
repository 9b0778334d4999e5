"""Lists the handlers and filters of all loggers, to find bodies that add one at each load."""

from __future__ import annotations

import logging


def log_handlers() -> dict[int, str]:
    """Return a dict from the identity of each handler and filter to the name of its logger."""
    known = [logging.root, *list(logging.root.manager.loggerDict.values())]
    loggers = [logger for logger in known if isinstance(logger, logging.Logger)]
    return {id(listener): logger.name for logger in loggers for listener in (*logger.handlers, *logger.filters)}

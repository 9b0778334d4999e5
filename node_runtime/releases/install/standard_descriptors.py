"""Keeps the standard descriptors 0 to 2 open while a script runs.

If the code of a script closed one of them, the next file or socket of the node would get its number. Then lines for the
log would be written into that file, for example into the commit record.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

logger = logging.getLogger("node_runtime")

STANDARD_DESCRIPTORS: Final = (0, 1, 2)


@contextmanager
def standard_descriptors_kept() -> Iterator[None]:
    """Open each standard descriptor again that the block has closed."""
    copies = {}
    for number in STANDARD_DESCRIPTORS:
        with suppress(OSError):  # the node has no such descriptor, or may open no more
            copies[number] = os.dup(number)
    try:
        yield
    finally:
        closed = [number for number in copies if not _is_open(number)]
        for number in closed:
            os.dup2(copies[number], number)
        for copy in copies.values():
            with suppress(OSError):  # the script has closed all descriptors
                os.close(copy)
        if closed:
            numbers = ", ".join(map(str, closed))
            logger.warning(
                "the script of an install has closed the standard descriptors %s; they are open again", numbers
            )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

"""Keeps the standard descriptors 0 to 2 unchanged while a script runs.

If the code of a script closed one of them, the next file or socket would get its number. Then lines for the log would
be written into that file, for example into the commit record.
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
    """After the block, open each standard descriptor again that the block has closed.

    If another file has got the number meanwhile, this file is closed. Code that still uses the number for this file
    writes to the standard descriptor.
    """
    copies = {}
    for number in STANDARD_DESCRIPTORS:
        with suppress(OSError):  # the node has no such descriptor, or may open no more
            copies[number] = os.dup(number)
    files = {number: _file_of(copy) for number, copy in copies.items()}
    try:
        yield
    finally:
        changed = {number: _file_of(number) for number in copies if _file_of(number) != files[number]}
        kept = {number: copy for number, copy in copies.items() if _file_of(copy) == files[number]}
        for number in changed.keys() & kept.keys():
            os.dup2(kept[number], number)
        for copy in kept.values():  # the numbers of other copies, closed by the script, may be those of other files
            os.close(copy)
        for number, file in changed.items():
            logger.warning(
                "the script of an install has closed the standard descriptor %d%s; %s",
                number,
                "" if file is None else ", and another file has got its number",
                "it could not be opened again, because its copy is closed, too"
                if number not in kept
                else "it is open again" + ("" if file is None else ", and that file is closed"),
            )


def _file_of(number: int) -> tuple[int, int] | None:
    """Return the device and the inode of a descriptor's file; None if the descriptor is closed."""
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino

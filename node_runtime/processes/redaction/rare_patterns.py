"""Patterns that are compiled when a text first needs them.

There are a hundred, and most OS processes of a node need none of them: compiling all would take a tenth of the time
that the node's own code takes at a boot.
"""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return the compiled pattern."""
    return re.compile(pattern, flags)

"""Heads of the chain as lines of text, in the form that is sent to the anchor.

An example is `audit-head seq=17 sha256=9f86d081… directory="/srv/fil"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from .audit_files import Head

_HEAD: Final = re.compile(r'audit-head seq=([0-9]{1,18}) sha256=([0-9a-f]{64}) directory=("(?:[^"\\]|\\.)*")')


def head_line(head: Head, directory: Path) -> str:
    """Return the line for a head of the node in `directory`."""
    return f"audit-head seq={head.seq} sha256={head.sha256} directory={json.dumps(str(directory))}"


def heads_in(lines: Iterable[str], directory: Path) -> Iterator[Head]:
    """Yield the heads in `lines` that belong to the node in `directory`. A log daemon may have put text before them."""
    own = json.dumps(str(directory))
    for line in lines:
        if (found := _HEAD.search(line)) is not None and found[3] == own:
            yield Head(int(found[1]), found[2])

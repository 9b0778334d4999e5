"""The format of a recording: zstd frames, one after the other, each with one MessagePack array of records.

`zstd -d < FILE` prints the arrays. The first frame has only the header. A frame ends every few seconds, so a process
that is killed loses only the last seconds, and a reader ignores an incomplete frame at the end.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from node_runtime.protocol.exit_codes import Refused

FORMAT = "hotdash recording"
VERSION = 1
"""The version of the format. A reader refuses every other version."""

FRAME_SECONDS = 2.0
"""Seconds after which the writer ends a frame."""
FRAME_BYTES = 1 << 20
"""The number of bytes, before compression, after which the writer ends a frame."""
DEFAULT_MAX_FILE_BYTES = 256 << 20
"""The default size limit of a recording."""
MAX_FRAME_BYTES = 80 << 20
"""The maximum size of a frame after decompression: a record with the largest reply of a node, and a little more."""
MAX_WINDOW_LOG = 27
"""The maximum memory of a decompression, as a power of two; it is zstd's own default for untrusted data."""


class RecordingHeader(msgspec.Struct, frozen=True):
    """The first record. `node` is the name of the node, `started` the Unix time of the first record."""

    format: str
    version: int
    node: str
    hotdash: str
    started: float


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One message of the node link: its kind, the Unix time when the dashboard got it, and its packed fields."""

    kind: str
    at: float
    body: msgspec.Raw


def zstd_module() -> Any:
    """Return the zstd library. Raises Refused if it is not installed."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise Refused(
            "Recordings need the library backports.zstd; install it with `pip install 'hotdash[record]'`."
        ) from None
    return zstd

"""Limits of a release's tarball: its manifest, the number and size of its files, and their paths.

The build enforces the limits of paths. The reader of a tarball enforces all limits.
"""

from __future__ import annotations

from typing import Final

MAX_MANIFEST_BYTES: Final = 16 << 20
"""Largest size of manifest.json."""
MAX_FILES: Final = 100_000
"""Largest number of files that a manifest may list."""
MAX_PARTS: Final = 2_000
"""Largest number of folders of lib/ and names in bin/ that a release may have."""
MAX_TOTAL_BYTES: Final = 4 << 30
"""Largest total size of the listed files, unpacked."""

MAX_PATH_BYTES: Final = 512
"""Greatest length of a file's path in UTF-8."""
MAX_PATH_PARTS: Final = 16
"""Greatest number of parts of a file's path: its folders and its name."""
MAX_PATH_PART_BYTES: Final = 255
"""Greatest length of one part of a path in UTF-8; common file systems allow no more."""

MAX_PAX_RECORD_BYTES: Final = 2 * MAX_PATH_BYTES
"""Largest content of a pax header, which has only a path."""

MAX_UNPACKED_RATIO: Final = 200
"""A tarball may unpack to at most this many times its own size, if it unpacks to more than `FREE_RATIO_BYTES`."""
FREE_RATIO_BYTES: Final = 64 << 20
"""Up to this unpacked size, the ratio is not limited."""
DISK_RESERVE_BYTES: Final = 64 << 20
"""The space that must be left on the disk when a release has been unpacked, for the node's own files."""
DISK_RESERVE_FILES: Final = 1000
"""When a release has been unpacked, the file system must still have room for this many files."""

INPUT_BLOCK_BYTES: Final = 64 << 10
"""A tarball is read in blocks of this size."""
OUTPUT_BLOCK_BYTES: Final = 256 << 10
"""A tarball is decompressed in pieces of at most this size, so that the memory is bounded."""

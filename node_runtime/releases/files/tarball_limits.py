"""Limits of a release's tarball: its manifest, the number and size of its files, and their paths.

The build enforces the limits of paths. The reader of a tarball enforces all limits.
"""

from __future__ import annotations

from typing import Final

MAX_MANIFEST_BYTES: Final = 16 << 20
"""Size of manifest.json."""
MAX_FILES: Final = 100_000
"""Files that a manifest may list."""
MAX_TOTAL_BYTES: Final = 4 << 30
"""Size of all listed files together, unpacked."""

MAX_PATH_BYTES: Final = 512
"""Length of a file's path in UTF-8."""
MAX_PATH_PARTS: Final = 16
"""Folders in a file's path, plus one for its name."""
MAX_PATH_PART_BYTES: Final = 255
"""Length of a file's or folder's name in UTF-8; common file systems allow no more."""

MAX_MEMBER_HEADER_BYTES: Final = 8 << 10
"""Bytes that the tar format may add to each member: headers and padding."""
EXTRA_MEMBER_HEADERS: Final = 8
"""Headers to allow for in addition to those of the listed files: the manifest and the end of the archive."""
READ_BLOCK_BYTES: Final = 64 << 10
"""A read without a size returns at most this much."""

"""Limits of a release's tarball: its manifest, the number and size of its files, and their paths.

The build keeps to the limits of paths; the reader of a tarball enforces all of them.
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
"""What the tar format may add to each member: headers and padding."""
EXTRA_MEMBER_HEADERS: Final = 8
"""Header allowances beyond those of the listed files: for the manifest and the end of the archive."""
READ_BLOCK_BYTES: Final = 64 << 10
"""A read without a size returns at most this much."""

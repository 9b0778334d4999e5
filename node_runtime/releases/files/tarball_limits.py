"""Limits of a release's tarball: its manifest, the number and size of its files, and their paths.

The build enforces the limits of paths. The reader of a tarball enforces all limits.
"""

from __future__ import annotations

from typing import Final

MAX_MANIFEST_BYTES: Final = 16 << 20
"""Largest size of manifest.json."""
MAX_FILES: Final = 100_000
"""Largest number of files that a manifest may list."""
MAX_TOTAL_BYTES: Final = 4 << 30
"""Largest total size of the listed files, unpacked."""

MAX_PATH_BYTES: Final = 512
"""Greatest length of a file's path in UTF-8."""
MAX_PATH_PARTS: Final = 16
"""Greatest number of parts of a file's path: its folders and its name."""
MAX_PATH_PART_BYTES: Final = 255
"""Greatest length of one part of a path in UTF-8; common file systems allow no more."""

MAX_MEMBER_HEADER_BYTES: Final = 8 << 10
"""Bytes that the tar format may add to each member: headers and padding."""
EXTRA_MEMBER_HEADERS: Final = 8
"""Headers that the archive may have for the manifest and for its end, in addition to those of the listed files."""
READ_BLOCK_BYTES: Final = 64 << 10
"""A read that asks for no particular size returns at most this many bytes."""

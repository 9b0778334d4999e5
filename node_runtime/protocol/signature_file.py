"""The signature file of a tarball. It is in the same folder as the tarball, and is sent together with it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from .exit_codes import Refused

MAX_SIGNATURE_BYTES: Final = 4096
"""The maximum size of a signature file. The signature files that this project makes have about 700 bytes."""


def signature_path(tarball: Path) -> Path:
    """Return the path of the signature of `tarball`, as minisign names it: TARBALL.minisig."""
    return tarball.with_name(f"{tarball.name}.minisig")


def read_signature(tarball: Path) -> bytes | None:
    """Return the content of the signature file beside `tarball`; None if there is none. Raises Refused."""
    path = signature_path(tarball)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer doesn't block
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            data = file.read(MAX_SIGNATURE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"The signature {path} can't be read: {error.strerror}.") from None
    if len(data) > MAX_SIGNATURE_BYTES:
        raise Refused(f"{path} is not a signature: it has more than {MAX_SIGNATURE_BYTES:,} bytes.")
    return data

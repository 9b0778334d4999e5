"""Finds a missing or damaged file of a release. A node can run this module as an OS process of its own."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .regular_file import sha256_of


class Defect(NamedTuple):
    """A file that differs from its manifest, or that can't be read.

    `path` is relative to the node directory. `number` is the system's error number (errno) if the file can't be read,
    else 0. `reason` is the text of the error.
    """

    path: str
    number: int = 0
    reason: str = ""


def find_defect(directory: Path, files: Iterable[tuple[str, int, str]]) -> Defect | None:
    """Return the first defect of `files`, each with its path, its size in bytes and its SHA-256; None if all are whole.

    Raises no error.
    """
    for path, size, digest in files:
        try:
            if sha256_of(directory / path, size) != digest:
                return Defect(path)
        except OSError as error:
            return Defect(path, error.errno or errno.EIO, error.strerror or str(error))
    return None


def main(arguments: list[str]) -> None:
    """Check files of the node directory, which is the only argument. The standard input lists the files, as JSON.

    The defect is written to the standard output, as JSON.
    """
    files = json.load(sys.stdin)
    with open(1, "w", closefd=False) as output:
        json.dump(find_defect(Path(arguments[0]), files), output)
    os._exit(0)

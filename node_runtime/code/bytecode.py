"""The bytecode files of a release, which are made from its sources when the release is unpacked.

A part of a node's directory, such as `lib/click-8.5.1`, has one file with the bytecode files of all its modules. The
file begins with an index of their hashes, and the commit record has the hash of the index. So a bytecode file is
compared with a recorded hash when it is used, as a source is. If a bytecode file is missing or differs, the module is
compiled from its source.

The bytecode files are hash-based (PEP 552): the import system compares each one with the version of Python and with the
source, which is read and verified in any case. `node_runtime/cli/enter.py` executes this file before anything else of
the release can be imported. So this file uses only the standard library.

Rejected: bytecode files in the tarball. They would have to be trusted, since people review only sources.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import sys
from importlib.util import MAGIC_NUMBER, source_hash
from types import CodeType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTECODE_NAME: Final = f"bytecode.{sys.implementation.cache_tag}"
"""The name of the file with the bytecode files of a part. Each version of Python has its own file."""
_CHECKED_HASH: Final = 0b11
"""The flags of a bytecode file with the hash of its source, which the import system compares with the source."""
_HEADER_BYTES: Final = 16
_LENGTH_BYTES: Final = 4

Index = dict[str, tuple[int, int, str]]
"""For the path of each source: where its bytecode file begins, how many bytes it has, and their hash."""


def compiled(source: bytes, path: str) -> bytes:
    """Return the bytecode file of a source. Raises the errors of the compiler, such as SyntaxError."""
    code = compile(source, path, "exec", dont_inherit=True)
    return MAGIC_NUMBER + _CHECKED_HASH.to_bytes(4, "little") + source_hash(source) + marshal.dumps(code)


def code_of(data: bytes, source: bytes, path: str) -> CodeType | None:
    """Return the code in a bytecode file, with `path` as its file name.

    None if another version of Python has made the bytecode file, or if it was made from another source.
    """
    if data[:4] != MAGIC_NUMBER or data[8:_HEADER_BYTES] != source_hash(source):
        return None
    return _renamed(marshal.loads(memoryview(data)[_HEADER_BYTES:]), path)


def _renamed(code: CodeType, path: str) -> CodeType:
    constants = tuple(_renamed(each, path) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=path, co_consts=constants)


def joined(modules: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Join bytecode files into the content of one file; return this content and the hash of its index.

    `modules` has the bytecode files of a part of a node's directory, such as `lib/click-8.5.1`, by the paths of their
    sources.
    """
    index: Index = {}
    size = 0
    for path, data in modules.items():
        index[path] = size, len(data), hashlib.sha256(data).hexdigest()
        size += len(data)
    head = json.dumps(index).encode()
    content = b"".join((len(head).to_bytes(_LENGTH_BYTES, "big"), head, *modules.values()))
    return content, hashlib.sha256(head).hexdigest()


class Bytecode:
    """The recorded bytecode files of a release in a node's directory. All threads may use it.

    Each part of the directory, such as `lib/click-8.5.1`, has one file with the bytecode files of its modules and their
    index. `recorded` has the hash of the index of each part.
    """

    def __init__(self, directory: str, recorded: Mapping[str, str]) -> None:
        self._directory = directory
        self._recorded = recorded
        self._indexes: dict[str, tuple[Index, int]] = {}

    def has(self, path: str) -> bool:
        """Return whether the source at `path` has a bytecode file. `path` is relative to the node's directory."""
        return path in self._index(_part(path))[0]

    def read(self, path: str) -> bytes | None:
        """Return the bytecode file of a source; None without such a file, or if its hash is not the recorded one."""
        index, start = self._index(part := _part(path))
        if path not in index:
            return None
        begin, size, sha256 = index[path]
        try:
            with open(self._path(part), "rb", buffering=0) as file:
                file.seek(start + begin)
                data = file.read(size)
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def is_intact(self, part: str) -> bool:
        """Return whether all bytecode files of a part, such as `lib/click-8.5.1`, have the recorded hashes."""
        index, _ = self._index(part)
        return bool(index) and all(self.read(path) is not None for path in index)

    def _index(self, part: str) -> tuple[Index, int]:
        """Return the index in the file of a part, such as `lib/click-8.5.1`, and where it ends.

        The index is empty if it is missing or has another hash than the recorded one.
        """
        found = self._indexes.get(part)
        if found is None:
            found = self._indexes[part] = self._read_index(part)
        return found

    def _read_index(self, part: str) -> tuple[Index, int]:
        recorded = self._recorded.get(part)
        if recorded is None:
            return {}, 0
        try:
            with open(self._path(part), "rb") as file:
                head = file.read(int.from_bytes(file.read(_LENGTH_BYTES), "big"))
        except OSError:
            return {}, 0
        if hashlib.sha256(head).hexdigest() != recorded:
            return {}, 0
        return json.loads(head), _LENGTH_BYTES + len(head)

    def _path(self, part: str) -> str:
        return f"{self._directory}/{part}/{BYTECODE_NAME}"


def _part(path: str) -> str:
    return "/".join(path.split("/", 2)[:2])

"""Counts the steps by which a process changes the disk, and kills the process or lets the disk fail at one of them.

The functions of `os` and `io` that change files and folders are replaced in this process; the product knows nothing of
it. Only steps below the given folders count. A kill comes before its step, but a write is torn: half of its bytes are
in the file. This module needs only the standard library, so that the application of a test's release can contain it.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

FAULTS: Final = ("kill", "fail", "full")
"""A SIGKILL; an error of the disk at one step; a disk that is full from one step on."""
NEEDS_SPACE: Final = frozenset({"create", "mkdir", "write"})
_OF_A_PATH: Final = ("unlink", "remove", "rmdir", "mkdir", "chmod", "truncate")
_OF_TWO_PATHS: Final = ("rename", "replace", "link")
_OF_A_FILE: Final = ("fsync", "fdatasync", "ftruncate", "fchmod")


class Step(NamedTuple):
    """A change of the disk: what is done, to which path, and to which second path."""

    kind: str
    path: str
    target: str = ""


class Injector:
    """Injects `fault` at step number `at`; the steps begin with 1. With `at` 0, only counts them."""

    def __init__(self, folders: tuple[Path, ...], fault: str = "kill", at: int = 0) -> None:
        assert fault in FAULTS
        self._folders = tuple(os.path.realpath(folder) for folder in folders)
        self._fault, self._at = fault, at
        self._numbers = itertools.count(1)
        self.steps: list[Step] = []

    def install(self) -> None:
        """Replace the functions, for the rest of this process."""
        for name in _OF_A_PATH:
            setattr(os, name, self._with_path(name, getattr(os, name)))
        for name in _OF_TWO_PATHS:
            setattr(os, name, self._with_two_paths(name, getattr(os, name)))
        for name in _OF_A_FILE:
            setattr(os, name, self._with_file(name, getattr(os, name)))
        os.open = self._os_open(os.open)
        os.write = self._os_write(os.write)
        io.open = builtins.open = self._open(io.open)

    # ------------------------------------------------------------------ the replacements

    def _with_path(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def changed(path: Any, *args: Any, dir_fd: int | None = None, **options: Any) -> Any:
            if dir_fd is not None:
                options["dir_fd"] = dir_fd
            self.step(Step(kind, _located(path, dir_fd)))
            try:
                return real(path, *args, **options)
            except OSError:  # such as a mkdir of a folder that is there already
                self.took_back(Step(kind, _located(path, dir_fd)))
                raise

        return changed

    def _with_two_paths(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def changed(path: Any, target: Any, **options: Any) -> Any:
            source = _located(path, options.get("src_dir_fd"))
            self.step(Step(kind, source, _located(target, options.get("dst_dir_fd"))))
            return real(path, target, **options)

        return changed

    def _with_file(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def changed(file: Any, *args: Any) -> Any:
            self.step(Step(kind, _path_of(file if isinstance(file, int) else file.fileno())))
            return real(file, *args)

        return changed

    def _os_open(self, real: Callable[..., int]) -> Any:
        def opened(path: Any, flags: int, *args: Any, dir_fd: int | None = None, **options: Any) -> int:
            if flags & (os.O_CREAT | os.O_TRUNC):
                self.step(Step("create", _located(path, dir_fd)))
            return real(path, flags, *args, dir_fd=dir_fd, **options)

        return opened

    def _os_write(self, real: Callable[..., int]) -> Any:
        def written(file: int, data: Any) -> int:
            self.step(Step("write", _path_of(file)), lambda: real(file, bytes(data)[: len(data) // 2]))
            return real(file, data)

        return written

    def _open(self, real: Callable[..., Any]) -> Any:
        def opened(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+"):
                return real(file, mode, buffering, *args, **options)
            if not isinstance(file, int):
                self.step(Step("create", _located(file, None)))
            return self._counted(file, mode, buffering, *args, **options)

        return opened

    def _counted(
        self,
        file: Any,
        mode: str,
        buffering: int,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """Return the file that `open` returns, on a raw file whose writes are steps."""
        step = self.step

        class CountedFile(io.FileIO):
            def write(self, data: Any) -> int:
                half = bytes(data)[: len(data) // 2]
                step(Step("write", _path_of(self.fileno())), lambda: super(CountedFile, self).write(half))
                return super().write(data)

            def truncate(self, size: int | None = None) -> int:
                step(Step("truncate", _path_of(self.fileno())))
                return super().truncate(size)

        raw = CountedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    # ------------------------------------------------------------------ the faults

    def step(self, step: Step, torn: Callable[[], object] = lambda: None) -> None:
        """Count a step below the folders, and inject the fault if this is its turn; `torn` does half of the step."""
        if not any(path == folder or path.startswith(f"{folder}/") for folder in self._folders for path in step[1:]):
            return
        number = next(self._numbers)
        self.steps.append(step)
        if not self._at or number < self._at:
            return
        if self._fault == "kill" and number == self._at:
            torn()
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "fail" and number == self._at:
            torn()
            raise OSError(errno.EIO, os.strerror(errno.EIO), step.path)
        if self._fault == "full" and step.kind in NEEDS_SPACE:
            torn()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), step.path)

    def took_back(self, step: Step) -> None:
        """Note that a step has changed nothing; its number remains."""
        if step in self.steps:
            self.steps[len(self.steps) - 1 - self.steps[::-1].index(step)] = Step("nothing", step.path)


def _located(path: Any, folder: int | None) -> str:
    if isinstance(path, int):
        return _path_of(path)
    name = os.fsdecode(path)
    return os.path.abspath(name if folder is None else os.path.join(_path_of(folder), name))


def _path_of(file: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        return ""

"""The lock on a node's directory: one process at a time may change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.lock_file import hold_lock
from node_runtime.releases.workers import ONLY_WORKER, WorkerPlace


def lock_path(directory: Path, place: WorkerPlace = ONLY_WORKER) -> Path:
    """Return the lock file of a node's directory; each worker of the node has one."""
    return place.var(directory) / "node.lock"


@contextmanager
def hold_directory(
    directory: Path, remedy: str, end_forks: Callable[[], object] = lambda: None, lock: Path | None = None
) -> Iterator[None]:
    """Lock the directory during the body of `with`. Raises `Refused` with `remedy` if another process has locked it.

    Without a lock, two nodes in one directory would overwrite each other's releases. The lock is a file, and not the
    directory itself, because a user who can read a directory can also lock it. If forks of an ended node still have the
    lock, `end_forks()` is called. `lock` is the lock file of a worker other than worker 1.
    """
    lock = lock or lock_path(directory)
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(lock, end_forks))
        except BlockingIOError:
            raise Refused(f"Another process runs the node in {directory}; {remedy}.") from None
        yield


def check_path(directory: Path) -> None:
    """Raise `Refused` if the path of a node's directory can't be encoded in UTF-8, the encoding of the node's files."""
    try:
        str(directory).encode()
    except UnicodeEncodeError:
        raise Refused(f"The path {str(directory)!a} is not UTF-8; choose another folder.") from None


def make_private(directory: Path) -> None:
    """Remove other users' access to a node's directory. Raises `Refused` if that fails."""
    try:
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise Refused(
            f"The directory {directory} is open to other users, and its mode can't be changed: {error.strerror}."
        ) from None

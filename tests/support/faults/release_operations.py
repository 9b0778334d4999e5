"""The operations on the releases of a node that the crash matrix interrupts.

A scratch folder has the node directory `node`. Everything outside of it stays as it is.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node_runtime.cli import commands
from node_runtime.releases.store.release_store import ReleaseStore

from .crash_release import NAME, write_release

SIGNED: Final = "signed"
KEYS: Final = "keys"
Tarballs = Mapping[str, Path]
"""The tarball of each version, a signed one of version 1, and the folder of the release key that has signed it."""
Action = Callable[[Path, Tarballs], object]
"""Changes the scratch folder."""


@dataclass(frozen=True, slots=True)
class Case:
    """An operation, and how the scratch folder is prepared for it.

    `is_new` is whether there is no node before it. `is_command` is whether a person calls it, who has to be told in one
    sentence what went wrong.
    """

    prepare: Action
    operation: Action
    is_new: bool = False
    is_command: bool = False


def tarballs_in(folder: Path) -> dict[str, Path]:
    """Write tarballs and a release key."""
    (folder / SIGNED).mkdir(parents=True)
    (folder / KEYS).mkdir()
    made = {vsn: write_release(folder / f"{NAME}-{vsn}.tar.gz", vsn) for vsn in ("1", "2", "3", "4")}
    made |= {SIGNED: write_release(folder / SIGNED / f"{NAME}-1.tar.gz", "1"), KEYS: folder / KEYS}
    _run("keys", "new", folder / KEYS / "ana", "--no-password")
    _run("sign", made[SIGNED], "--key", folder / KEYS / "ana.key")
    return made


def _run(*words: str | Path) -> None:
    umask = os.umask(0o077)  # `install` sets it for its process, which here is that of the tests
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            commands.run([str(word) for word in words])
    finally:
        os.umask(umask)


def _install(vsn: str) -> Action:
    return lambda folder, tarballs: _run("install", tarballs[vsn], folder / "node")


def _install_with_keys(folder: Path, tarballs: Tarballs) -> None:
    _run("install", tarballs[SIGNED], folder / "node", "--keys", tarballs[KEYS])


def _staged(*versions: str, permanent: tuple[str, ...] = ()) -> Action:
    def prepare(folder: Path, tarballs: Tarballs) -> None:
        _install("1")(folder, tarballs)
        store = ReleaseStore(folder / "node")
        for vsn in versions:
            store.stage(tarballs[vsn])
        for vsn in permanent:
            store.commit(vsn)

    return prepare


def _damaged(folder: Path, tarballs: Tarballs) -> None:
    _staged("2")(folder, tarballs)
    (folder / "node/lib/own-2/src/own.py").write_bytes(b"damaged")


def _stage(folder: Path, tarballs: Tarballs) -> None:
    ReleaseStore(folder / "node").stage(tarballs["2"])


def _with_store(change: Callable[[ReleaseStore], None]) -> Action:
    return lambda folder, tarballs: change(ReleaseStore(folder / "node"))


CASES: Final = {
    "install a new node": Case(lambda folder, tarballs: None, _install("1"), is_new=True, is_command=True),
    "install a new node with keys": Case(
        lambda folder, tarballs: None, _install_with_keys, is_new=True, is_command=True
    ),
    "install into a node": Case(_staged(), _install("2"), is_command=True),
    "stage": Case(_staged(), _stage),
    "repair": Case(_damaged, _stage),
    "commit": Case(_staged("2"), _with_store(lambda store: store.commit("2"))),
    "commit the fourth launcher": Case(
        _staged("2", "3", "4", permanent=("2", "3")), _with_store(lambda store: store.commit("4"))
    ),
    "mark failed": Case(_staged("2"), _with_store(lambda store: store.mark_failed("2", "It failed."))),
    "remove": Case(_staged("2", "3"), _with_store(lambda store: store.remove("2"))),
    "remove an old one": Case(_staged("2", permanent=("2",)), _with_store(lambda store: store.remove("1"))),
}

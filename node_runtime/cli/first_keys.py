"""Copies release keys to a new node directory, so that its first release, too, must be signed with one of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.private_files import sync_directory
from node_runtime.releases.files.durable import write_atomically
from node_runtime.releases.signing.release_keys import read_release_keys, release_keys_folder


@contextmanager
def with_release_keys(directory: Path, keys: Path | None) -> Iterator[None]:
    """Copy the public keys in the folder `keys` to the new node directory; remove them if the body of `with` fails.

    The node gets all keys or no key. Raises Refused if the folder has no valid keys, or if the directory already has
    other keys. The directory may already have the same keys, left there by an interrupted install.
    """
    folder, etc_existed = release_keys_folder(directory), (directory / "etc").exists()
    copy = folder.with_name(f".{folder.name}.new")
    if copy.exists():
        shutil.rmtree(copy)
    if keys is None:
        yield
        return
    if not read_release_keys(keys):
        raise Refused(f"{keys} has no public keys (*.pub).")
    if folder.exists():
        if _contents(folder) != _contents(keys):
            raise Refused(f"{folder} exists already; install without --keys, or remove it.")
        yield
        return
    try:
        _copy(keys, copy)
        copy.replace(folder)
        sync_directory(folder.parent)
        yield
    except BaseException:
        for made in (copy, folder) if etc_existed else (folder.parent,):
            shutil.rmtree(made, ignore_errors=True)
        raise


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.pub")}


def _copy(keys: Path, copy: Path) -> None:
    copy.mkdir(mode=0o700, parents=True)
    for name, data in _contents(keys).items():
        write_atomically(copy / name, data)
        (copy / name).chmod(0o600)
    sync_directory(copy)

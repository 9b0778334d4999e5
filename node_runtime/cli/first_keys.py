"""The release keys of a new node directory: copied before its first release is unpacked, which they decide about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.signing.release_keys import read_release_keys, release_keys_folder


@contextmanager
def with_release_keys(directory: Path, keys: Path | None) -> Iterator[None]:
    """Copy the public keys in the folder `keys` to the new node directory; take them away again on failure.

    Raises Refused if the folder has no valid keys, or if the directory has keys already.
    """
    if keys is None:
        yield
        return
    folder, existed = release_keys_folder(directory), directory.exists()
    if not read_release_keys(keys):
        raise Refused(f"{keys} has no public keys (*.pub).")
    if folder.exists():
        raise Refused(f"{folder} exists already; install without --keys, or remove it.")
    etc_existed = folder.parent.exists()
    try:
        folder.mkdir(mode=0o700, parents=True)
        for source in sorted(keys.glob("*.pub")):
            copied = folder / source.name
            copied.write_bytes(source.read_bytes())
            copied.chmod(0o600)
        yield
    except BaseException:
        shutil.rmtree(folder if etc_existed else folder.parent, ignore_errors=True)
        if not existed and directory.exists() and not any(directory.iterdir()):
            directory.rmdir()
        raise

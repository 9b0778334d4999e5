"""The content of a node directory, compared before and after an interrupted operation."""

from __future__ import annotations

from pathlib import Path

from node_runtime.control.uploads import Uploads
from node_runtime.releases.files.manifest import sha256
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.launcher_update import keep_launcher_current
from node_runtime.releases.store.release_store import ReleaseStore

State = dict[str, str]
"""The content of each file and folder by its path."""


def state_of(directory: Path) -> State:
    """Every file and folder but those in var/, and of the record what doesn't depend on the time."""
    found = {
        path.relative_to(directory).as_posix(): sha256(path.read_bytes()) if path.is_file() else "a folder"
        for path in directory.rglob("*")
        if path.relative_to(directory).parts[0] != "var"
    }
    if (record := commit_record.load(directory)) is not None:
        entries = sorted((vsn, entry.status, str(entry.failed)) for vsn, entry in record.releases.items())
        found["releases/record.json"] = f"{record.permanent} of {entries}"
    return found


def leftovers(directory: Path) -> list[str]:
    """What uploads and unpackings have left in var/staging."""
    return [str(path) for path in (directory / "var" / "staging").glob("*")]


def boot(directory: Path) -> ReleaseStore:
    """Do with the releases what a node does when it boots; its permanent release must be whole."""
    Uploads(directory / "var" / "staging")
    store = ReleaseStore.at_boot(directory, set)
    keep_launcher_current(directory, store.catalog.release(store.permanent).manifest)
    assert store.bootable()[0] == store.permanent
    return store

"""Stages hostile tarballs into a node directory, and finds what went wrong: crashes, leftovers, wrong acceptances."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from node_runtime.code.bytecode import BYTECODE_NAME
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.store.parts import part_of
from node_runtime.releases.store.release_store import ReleaseStore
from node_runtime.releases.store.unpack import unpack

from .hostile_tarball import Verdict
from .source_files import MARK

MAX_SENTENCE: Final = 1000
"""Characters of a refusal."""
OUTSIDE: Final = tuple(
    Path(path) for path in (MARK, "/tmp/evil", "/tmp/evil.py", "/tmp/hostile-folder", "/tmp/hostile-import", "/evil")
)
"""What some of the tarballs would write outside of the node directory."""
Tree = dict[str, tuple[int, bytes]]


def tree(directory: Path) -> Tree:
    """Everything below a folder: the mode and the content, or the target of a link."""
    found = {}
    for path in directory.rglob("*"):
        mode = path.lstat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
        found[path.relative_to(directory).as_posix()] = (
            mode,
            str(path.readlink()).encode() if path.is_symlink() else content,
        )
    return found


@dataclass(slots=True)
class StagingGround:
    """A node directory with one release, in a folder where nothing else changes."""

    folder: Path
    before: Tree = field(default_factory=dict)

    @classmethod
    def installed(cls, folder: Path, tarball: Path) -> StagingGround:
        """Unpack the release of `tarball` in a new node directory."""
        folder.mkdir()
        ground = cls(folder)
        unpack(tarball, ground.node)
        shutil.copytree(ground.node, folder / "pristine", symlinks=True)
        ground.before = tree(folder)
        return ground

    @property
    def node(self) -> Path:
        return self.folder / "node"

    def write(self, data: bytes) -> Path:
        """Write a tarball, as it arrives from outside."""
        path = self.folder.with_name(f"{self.folder.name}-tiny-2.0.tar.gz")
        path.write_bytes(data)
        return path

    def stage(self, tarball: Path) -> str | None:
        """Stage a tarball as a running node does; returns the sentence of a refusal."""
        try:
            ReleaseStore(self.node).stage(tarball)
        except Refused as refused:
            return refused.sentence
        return None

    def faults(self, tarball: Path, verdict: Verdict) -> Iterator[str]:
        """Stage a tarball; yields what should not have happened."""
        unpacked = False
        try:
            sentence = self.stage(tarball)
            unpacked = sentence is None and verdict != "harmless"
            if sentence is not None:
                yield from sentence_faults(sentence, verdict)
            elif verdict == "harmless":
                yield from self._unpacked_faults()
            else:
                yield "it was unpacked"
        except Exception as error:
            yield f"it raised {type(error).__name__}: {error!s:.200}"
        yield from self._leftovers(unpacked=unpacked)

    def faults_in_new_directory(self, tarball: Path, verdict: Verdict) -> Iterator[str]:
        """Install a tarball into a directory that doesn't exist yet; yields what is wrong with a refusal.

        Some tarballs contradict only what the other node has, so it may be unpacked here.
        """
        directory = self.folder / "new"
        try:
            unpack(tarball, directory)
            shutil.rmtree(directory)
        except Refused as refused:
            yield from sentence_faults(refused.sentence, verdict)
        except Exception as error:
            yield f"its installation raised {type(error).__name__}: {error!s:.200}"
        yield from self._leftovers(unpacked=False)

    def _unpacked_faults(self) -> Iterator[str]:
        """The release is there, with its files and no others, and goes away again."""
        store = ReleaseStore(self.node)
        manifest = json.loads((self.node / "releases/2.0/manifest.json").read_bytes())
        added = {
            path
            for path, (mode, _) in tree(self.folder).items()
            if stat.S_ISREG(mode) and path not in self.before and path != "node/releases/2.0/manifest.json"
        }
        bytecode = {f"node/{part_of(path)}/{BYTECODE_NAME}" for path in manifest["files"] if path.startswith("lib/")}
        unlisted = added - bytecode - {f"node/{path}" for path in manifest["files"]}
        if unlisted:
            yield f"it left {sorted(unlisted)[:3]}"
        if [info.vsn for info in store.infos("1.0")] != ["1.0", "2.0"]:
            yield "the node does not list it"
        store.remove("2.0")

    def _leftovers(self, *, unpacked: bool) -> Iterator[str]:
        """What a refusal changed; the node directory is as before afterwards."""
        after = tree(self.folder)
        differing = {path for path in self.before.keys() | after.keys() if self.before.get(path) != after.get(path)}
        if differing:
            if not unpacked:
                yield f"it left or changed {sorted(differing)[:3]}"
            for path in self.folder.iterdir():
                if path.name != "pristine":
                    delete(path)
            shutil.copytree(self.folder / "pristine", self.node, symlinks=True)
        for path in OUTSIDE:
            if path.exists():
                yield f"it wrote {path}"
                delete(path)


def delete(path: Path) -> None:
    """Delete a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def sentence_faults(sentence: str, verdict: Verdict) -> Iterator[str]:
    """What is wrong with the sentence of a refusal."""
    if len(sentence) >= MAX_SENTENCE:
        yield f"its refusal has {len(sentence)} characters: {sentence[:100]!r}"
    if not sentence.isprintable() or not sentence.endswith((".", "?", "…")):
        yield f"its refusal is no printable sentence: {sentence[:200]!r}"
    if verdict == "corrupt" and "corrupt" not in sentence and "can't be unpacked" not in sentence:
        yield f"its refusal does not say that it is corrupt: {sentence[:200]!r}"

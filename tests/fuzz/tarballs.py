"""Feeds changed tarballs to the code that reads them, in this process, and some of them to the whole of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.store.receive import (
    STAGED_FILES,
    STAGED_MANIFEST,
    Reception,
    others_of,
    read_received,
    receive,
    translate_relups,
)
from tests.support.hostile_tarballs import GoodRelease, read_good_release
from tests.support.hostile_tarballs.staging import StagingGround, tree
from tests.support.nodes.tiny_node import ANOTHER_PAGE, tarball_of

from .campaign import Campaign, FilesLeft, WronglyAccepted
from .tarball_changes import tarballs

CHECK_EVERY: Final = 500
"""After so many tarballs, the node's directory is compared with what it was."""
MEMORY_DISK: Final = Path("/dev/shm")
"""Where files cost no disk, if the system has it."""


@dataclass(slots=True)
class TarballTarget:
    """A node directory, and a folder to which tarballs are received. `accepted` counts those that were not refused."""

    ground: StagingGround
    stage: Path
    count: int = 0
    accepted: int = 0

    def receive(self, data: bytes) -> None:
        """Read a tarball in this process, as far as the node's child process does it."""
        self.count += 1
        self.stage.mkdir()
        try:
            reception = Reception("fuzzed.tar.gz", self.ground.node, self.stage)
            release = read_received(receive(io.BytesIO(data), reception), reception)
            for other in others_of(release, reception):
                translate_relups(release, other, reception)
        except (Refused, OSError):
            pass  # the child process reports both as refusals
        else:
            self.accepted += 1
            check_received(data, self.stage)
        finally:
            shutil.rmtree(self.stage)
        if self.count % CHECK_EVERY == 0 and tree(self.ground.folder) != self.ground.before:
            raise FilesLeft("the node's directory has changed")

    def stage_whole(self, data: bytes) -> None:
        """Stage a tarball as a node does, with its child process and the commit record."""
        for fault in self.ground.faults(self.ground.write(data), "harmless"):
            raise (FilesLeft if "left" in fault else WronglyAccepted)(fault)


def check_received(data: bytes, stage: Path) -> None:
    """Compare what was received with the manifest, and with what another reader finds in the same tarball."""
    manifest = json.loads((stage / STAGED_MANIFEST).read_bytes())
    received = {
        path.relative_to(stage / STAGED_FILES).as_posix(): path.read_bytes()
        for path in (stage / STAGED_FILES).rglob("*")
        if path.is_file()
    }
    own = f"releases/{manifest['vsn']}/manifest.json"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data)), mode="r:") as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        contents = {name: b"" if file is None else file.read() for name, file in found.items()}
    if contents.keys() != {own, *manifest["files"]}:
        raise WronglyAccepted(f"members: {sorted(contents.keys() ^ {own, *manifest['files']})}")
    for path, content in received.items():
        if contents.get(path) != content:
            raise WronglyAccepted(f"{path} has another content than in the tarball")
    for path, entry in manifest["files"].items():
        if (len(contents[path]), hashlib.sha256(contents[path]).hexdigest()) != (entry["size"], entry["sha256"]):
            raise WronglyAccepted(f"{path} has another size or hash than in the manifest")


@contextmanager
def tarball_target() -> Iterator[tuple[TarballTarget, GoodRelease]]:
    """A node directory with release 1.0, and the release 2.0 of which tarballs are made."""
    with TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as name:
        folder = Path(name)
        first = folder / "tiny-1.0.tar.gz"
        first.write_bytes(read_good_release(tarball_of(folder)).tarball())
        good = read_good_release(tarball_of(folder, "2.0", ANOTHER_PAGE))
        yield TarballTarget(StagingGround.installed(folder / "ground", first), folder / "stage"), good


def fuzz_tarballs(number: int, seed: int) -> Campaign:
    """The result for `number` tarballs, read in this process."""
    campaign = Campaign("tarballs, read in process")
    with tarball_target() as (target, good):
        target.receive(good.tarball())
        campaign.feed([good], 1, lambda _: check_good(target))
        campaign.feed(tarballs(random.Random(seed), good, number), number, target.receive)
    return campaign


def check_good(target: TarballTarget) -> None:
    """The unchanged tarball was accepted; otherwise the fuzzer would test nothing."""
    if target.accepted != 1:
        raise WronglyAccepted("the good release was refused")


def fuzz_staging(number: int, seed: int) -> Campaign:
    """The result for `number` tarballs, staged as a whole."""
    campaign = Campaign("tarballs, staged whole")
    with tarball_target() as (target, good):
        campaign.feed(tarballs(random.Random(seed), good, number), number, target.stage_whole)
    return campaign

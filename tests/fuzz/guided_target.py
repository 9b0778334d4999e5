"""The target that is fuzzed by coverage: one function that takes bytes, and the inputs with which it begins."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from node_runtime.protocol import messages as m
from node_runtime.protocol.wire import pack
from tests.support.hostile_tarballs import GoodRelease, read_good_release
from tests.support.hostile_tarballs.raw_tar import archive, compressed
from tests.support.hostile_tarballs.staging import StagingGround
from tests.support.nodes.tiny_node import ANOTHER_PAGE, tarball_of

from .decoders import decode
from .messages import TYPES, random_request, random_struct
from .tarballs import TarballTarget

ARCHIVE, MANIFEST, MESSAGE, TOML = range(4)
MAX_SEED_MESSAGES: Final = 5
"""Messages of each type to begin with."""


class GuidedTarget:
    """Gives the rest of an input to what its first byte chooses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        first = folder / "tiny-1.0.tar.gz"
        first.write_bytes(read_good_release(tarball_of(folder)).tarball())
        self.good: GoodRelease = read_good_release(tarball_of(folder, "2.0", ANOTHER_PAGE))
        self.toml = sorted(self.good.toml_files.values())
        self.target = TarballTarget(StagingGround.installed(folder / "ground", first), folder / "stage")

    def feed(self, data: bytes) -> None:
        """Feed one input."""
        kind, rest = data[0] if data else 0, data[1:]
        if kind == ARCHIVE:
            self.target.receive(compressed(rest, 0))
        elif kind == MANIFEST:
            self.target.receive(self.good.tarball(rest))
        elif kind == MESSAGE:
            decode((TYPES[rest[0] % len(TYPES)] if rest else m.Request, rest[1:]))
        else:
            path = self.toml[kind % len(self.toml)]
            self.target.receive(self.good.with_file(path, rest).tarball())

    def write_seeds(self) -> Path:
        """Write a good input of each kind; returns the folder."""
        rng = random.Random(1)
        seeds = [bytes([ARCHIVE]) + archive(self.good.members())]
        seeds.append(bytes([MANIFEST]) + self.good.members()[0].data)
        seeds += (
            bytes([choice]) + self.good.files[self.toml[choice % len(self.toml)]]
            for choice in range(TOML, TOML + len(self.toml))
        )
        seeds += (
            bytes([MESSAGE, number]) + pack(random_struct(rng, kind))
            for number, kind in enumerate(TYPES)
            for _ in range(MAX_SEED_MESSAGES)
        )
        seeds.append(bytes([MESSAGE, TYPES.index(m.Request)]) + random_request(rng))
        folder = self.folder / "seeds"
        folder.mkdir()
        for number, seed in enumerate(seeds):
            (folder / str(number)).write_bytes(seed)
        return folder

"""A node on a disk that is full: `remove` makes room there. Needs the right to mount a file system."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes.tiny_node import TinyNode, install, stopped_afterwards, tarballs

__all__ = ["tarballs"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=160m,mode=700", "none", folder), capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(("umount", "--lazy", folder), check=True)


def fill(folder: Path) -> None:
    """Write until the disk is full."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size) == size:
                    pass


def versions(node: TinyNode) -> list[str]:
    return [one["vsn"] for one in json.loads(node.operate("releases", "-o", "json").stdout)]


def test_a_remove_makes_room_on_a_full_disk(small_disk: Path, tarballs: dict[str, Path]) -> None:
    with stopped_afterwards(install(tarballs["1.0"], small_disk / "tiny")) as node:
        node.tiny("start")
        node.operate("stage", tarballs["2.0"])
        fill(small_disk)
        node.operate("remove", "2.0")
        assert versions(node) == ["1.0"]
        assert "2.0" not in json.loads((node.directory / "releases/record.json").read_text())["releases"]
        assert {path.name for path in (node.directory / "releases").iterdir()} == {"1.0", "record.json"}
        assert not list(node.directory.glob("lib/tiny-2.0"))
        node.operate("stage", tarballs["2.0"], code=1)
        (small_disk / "ballast").unlink()
        node.operate("stage", tarballs["2.0"])

"""Node directories whose third-party code was compiled before, for another release.

A first installation compiles all libraries, which takes three seconds of a processor. The result is the same for each
release with the same libraries, so it is made once in a session. Tests of the installation itself do without this.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from node_runtime.releases.build.tarball import build
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.sweep import remove
from node_runtime.releases.store.unpack import unpack
from tests.support.nodes.built_once import directory_once, tarball_once
from tests.support.projects.tiny_project import write_project

BESIDE: Final = "0.beside"
"""The version of the release that `install_beside_another` removes."""


def install_beside_another(tarball: Path, directory: Path) -> None:
    """Make a node directory whose only release is that of the tarball.

    A release of the tiny project is installed first, once in a session, and removed at the end. The two share the
    third-party code, so its bytecode is not made anew for each tarball.
    """
    with TemporaryDirectory() as folder:
        another = tarball_once(write_project(Path(folder, "project"), BESIDE), Path(folder), build)
        directory_once(another, directory, unpack)
    shutil.rmtree(directory / "releases" / BESIDE)  # its manifest has the name of another node
    manifest = unpack(tarball, directory)
    (directory / "bin" / "tiny").rename(directory / "bin" / manifest.name)
    record = commit_record.load(directory)
    assert record is not None
    commit_record.save(directory, record.with_permanent(manifest.vsn))
    remove(directory, BESIDE)

"""Releases of few files, so that each step of their unpacking can be a crash point."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from node_runtime.releases.files.launcher_files import LAUNCHER_FOLDER, SCRIPT, bin_path
from node_runtime.releases.files.manifest import (
    FileEntry,
    Manifest,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)

NAME = "r"


def write_release(path: Path, vsn: str) -> Path:
    """Write the tarball of a release without applications, with a launcher of its own.

    All releases share the part lib/shared-1.
    """
    runtime = f"lib/runtime-{vsn}"
    launcher = {
        SCRIPT: f"#!/bin/sh\n# {vsn}\n".encode(),
        "__init__.py": f"VERSION = {int(vsn) + 1}\n".encode(),
        "verbs.py": b"",
    }
    files = {
        **{bin_path(NAME, name): data for name, data in launcher.items()},
        **{f"{runtime}/{LAUNCHER_FOLDER}/{name}": data for name, data in launcher.items()},
        "lib/shared-1/src/shared.py": b"common = True\n",
        f"lib/own-{vsn}/src/own.py": f"vsn = {vsn!r}\n".encode(),
        f"lib/own-{vsn}/priv/data": b"x" * 100,
        f"releases/{vsn}/node.toml": f'name = "{NAME}@127.0.0.1"\n'.encode(),
        f"releases/{vsn}/release.toml": f'name = "{NAME}"\nvsn = "{vsn}"\napps = []\n'.encode(),
    }
    manifest = Manifest(
        name=NAME,
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=(runtime,),
        apps=(),
        files={name: FileEntry(size=len(data), sha256=sha256(data)) for name, data in files.items()},
    )
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in {manifest_path(vsn): manifest.encoded(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    path.write_bytes(gzip.compress(raw.getvalue(), 1, mtime=0))
    return path

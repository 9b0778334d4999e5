"""The launcher's VERSION grows with each change of its files: a node replaces its launcher only by a newer version."""

from __future__ import annotations

import hashlib
from pathlib import Path

from node_runtime.cli.launcher import VERSION
from node_runtime.releases.files.launcher_files import LAUNCHER_FOLDER

LAUNCHER = Path(__file__).parents[2] / LAUNCHER_FOLDER
SHA256_OF_VERSION = {
    3: "0a00a702dbc5b6ea54b7a0144ae5d1711c6d20340a7e90f5743aecefe522800f",
    4: "c80864e476a6277752fc53f3431836d13a3c134c4e293b196f87265f439bc39c",
    5: "f9a8b4c50704d64af25301d63306965acf53e4b597def50bc3789a19a6949b38",
    6: "3aa94a4c4bfdfa8788b9e0ca614b9e3847b354e7fb6b6b4ae8570083cff714cd",
    7: "658adfb2def9051f12c0684262c27ccc4efce9a2097a429ff92dd11788a29ea9",
    8: "9febe90a5eb767cb7c6561e024b9f55e9ed086602e20ab427b6c8f7903988540",
    9: "2f5fa9338c45fdb89ccdb024b4204c37c0267d08c0a5ad7f997e9facfb884d4d",
    10: "fd78bafbb68a5b1155d0a062d1e523644ac250d311819986ccb44edff9d4186b",
    11: "8b01a99f5e96a5cc99252d2d7206403f3bccc267780aed63ecfdca1f181f0de2",
    12: "d27be3a4b551937ff90792c00aeddd5f1e13afd24f0466dc1bef093cbac27ef9",
    13: "37458b029207ed5a005809d9edbb9e6ef39085215d439ddac47fede5673ce802",
    14: "0c03b3d274c0a6249f4e5e37510541dea82b1776000fb66fd1b1107769ae316a",
}
"""The hash of the launcher's files in each version. Add an entry, and never change one that is on the main branch."""


def test_a_change_of_the_launcher_has_another_version() -> None:
    """Without another version, nodes that exist would never get the change."""
    files = sorted(path for path in LAUNCHER.rglob("*") if path.suffix != ".pyc" and path.is_file())
    hashes = [f"{path.relative_to(LAUNCHER)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files]
    found = hashlib.sha256("".join(hashes).encode()).hexdigest()
    assert found == SHA256_OF_VERSION.get(VERSION), (
        f"increment VERSION in {LAUNCHER_FOLDER}/__init__.py, and add {VERSION}: {found!r} here"
    )

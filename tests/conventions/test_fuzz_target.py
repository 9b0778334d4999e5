"""`make fuzz` runs the fuzzers in processes of their own, without pytest, so what they use must not need pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.sources import ROOT

BUILD_TWICE = """
import sys
from pathlib import Path
from tests.support.nodes.built_once import tarball_once

def build(project, output):
    output.mkdir()
    (output / "tiny-1.0.tar.gz").write_bytes(b"built")
    print("built")

for _ in range(2):
    print(tarball_once(Path(sys.argv[1]), Path(sys.argv[2]), build).read_bytes())
"""


def test_tarballs_are_built_once_also_without_pytest(tmp_path: Path) -> None:
    line = [sys.executable, "-c", BUILD_TWICE, str(tmp_path / "project"), str(tmp_path / "out")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["built", "b'built'", "b'built'"]

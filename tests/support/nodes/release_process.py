"""Runs code in a process with the imports of a tiny node's release, and finds the files of its libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.nodes.built_once import own_file
from tests.support.nodes.tiny_node import TinyNode

EVIL = "print('EVIL')\n"


def inside(node: TinyNode, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process with the release's imports: `timeit.main` executes its argument."""
    enter = library_file(node, "node_runtime/cli/enter.py")
    start = (sys.executable, "-I", "-S", "-B", "-X", "utf8", enter, node.directory, "1.0")
    line = (*start, "timeit", "-n1", "-r1", "-s", code, "pass")
    return subprocess.run(line, env=node.environment, capture_output=True, text=True, timeout=120, check=False)


def printed(node: TinyNode, code: str) -> list[str]:
    """The lines that the code prints; it must not fail."""
    done = inside(node, code)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[:-1]  # the last line is timeit's


def library_file(node: TinyNode, path: str) -> Path:
    """The file of a library in the node's directory, which the test may change, or the folder."""
    found = next(node.directory.glob(f"lib/*/{path}"))
    return own_file(found) if found.is_file() else found

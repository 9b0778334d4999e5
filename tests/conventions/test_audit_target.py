"""`make audit` with other programs in place of pip and pip-audit: what it prints, and whether it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_INDEX, FINE = "echo 'no matching distribution' >&2; exit 1", "exit 0"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("pip", "pip_audit", "fails", "printed"),
    [
        (NO_INDEX, FINE, True, "looked nothing up"),
        (FINE, "echo 'Traceback' >&2; echo 'ProxyError' >&2; exit 1", True, "looked nothing up"),
        (FINE, "echo 'ERROR:pip_audit._cli:anyio: not found' >&2; exit 1", True, "anyio: not found"),
        (FINE, "echo 'anyio 4.0 CVE-1'; exit 1", True, "anyio 4.0 CVE-1"),
        (FINE, "echo 'No known vulnerabilities found' >&2", False, "No known vulnerabilities found"),
    ],
)
def test_an_audit_fails_with_a_sentence_unless_everything_was_looked_up(
    tmp_path: Path, pip: str, pip_audit: str, fails: bool, printed: str
) -> None:
    programs = tmp_path / "venv-tools/bin"
    programs.mkdir(parents=True)
    for name, script in (("python", pip), ("pip-audit", pip_audit)):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o700)
    line = ["make", "--no-print-directory", "audit", "PYTHON=true", f"VENV={tmp_path}/venv"]
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }  # make may run the tests
    done = subprocess.run(line, cwd=ROOT, env=outside, capture_output=True, text=True, timeout=120, check=False)
    lines = [each for each in (done.stdout + done.stderr).splitlines() if not each.startswith("make: ")]
    assert len(lines) == 1
    assert printed in lines[0]
    assert (done.returncode != 0) is fails

"""The file beside a tarball that should be its signature, but is something else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.signature_file import read_signature, signature_path


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    tarball = tmp_path / "tiny-1.0.tar.gz"
    make(signature_path(tarball))
    with pytest.raises(Refused, match=r"The signature .*\.minisig can't be read: "):
        read_signature(tarball)


def test_a_tarball_without_a_signature_has_none(tmp_path: Path) -> None:
    assert read_signature(tmp_path / "tiny-1.0.tar.gz") is None

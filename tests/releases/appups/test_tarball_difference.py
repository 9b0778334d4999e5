"""The differences between two tarballs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.appups.tarball_difference import tarball_difference


def test_a_pipe_in_place_of_a_tarball_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.tar.gz"
    os.mkfifo(pipe)
    with pytest.raises(Refused, match="not a regular file"):
        tarball_difference(pipe, pipe)

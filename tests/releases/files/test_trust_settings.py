"""The settings that say which releases a node accepts: only the operator's etc/node.toml can have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import read_project
from node_runtime.releases.files.config import read_configuration
from node_runtime.releases.files.trust_settings import TrustSettings, read_trust_settings
from tests.support.projects.tiny_project import write_project


def directory(folder: Path, release: str = "", etc: str = "") -> Path:
    """A node's directory with the node.toml of release 1 and that of etc/."""
    (folder / "releases/1").mkdir(parents=True)
    (folder / "releases/1/node.toml").write_text(f'name = "r@127.0.0.1"\n{release}')
    (folder / "etc").mkdir()
    (folder / "etc/node.toml").write_text(etc)
    return folder


def test_the_settings_of_etc_are_read_beside_the_overrides_of_the_node(tmp_path: Path) -> None:
    node = directory(tmp_path, etc="allow_unsigned = true\napprovals = 2\nheart = 7\n")
    assert read_trust_settings(node) == TrustSettings(allow_unsigned=True, approvals=2)
    assert read_configuration(node, "1").node.heart == 7
    assert read_trust_settings(tmp_path / "other") == TrustSettings()


@pytest.mark.parametrize("line", ["allow_unsigned = true", "approvals = 1", 'audit_anchor = "none"'])
def test_a_release_can_not_have_them(tmp_path: Path, line: str) -> None:
    with pytest.raises(Refused, match=r"node\.toml, line 2: a release must not set"):
        read_configuration(directory(tmp_path / "node", release=line), "1")
    changes = {"config/node.toml": f'name = "tiny@127.0.0.1"\n{line}\n'}
    with pytest.raises(Refused, match=r"node\.toml, line 2: a release must not set"):
        read_project(write_project(tmp_path / "project", changes=changes))


@pytest.mark.parametrize("line", ["approvals = 0", "approvals = '2'", "allow_unsigned = 'yes'"])
def test_a_wrong_value_is_named_with_its_line_also_at_boot(tmp_path: Path, line: str) -> None:
    node = directory(tmp_path, etc=f"heart = 7\n{line}\n")
    for read in (read_trust_settings, lambda folder: read_configuration(folder, "1")):
        with pytest.raises(Refused, match=r"etc/node\.toml, line 2: "):
            read(node)


def test_a_link_to_settings_that_are_not_there_is_no_missing_file(tmp_path: Path) -> None:
    """Otherwise a disk that is not mounted would switch off the two-person rule."""
    node = directory(tmp_path)
    (node / "etc/node.toml").unlink()
    (node / "etc/node.toml").symlink_to("/nonexistent/node.toml")
    for read in (lambda: read_trust_settings(node), lambda: read_configuration(node, "1")):
        with pytest.raises(Refused, match="can't be read"):
            read()

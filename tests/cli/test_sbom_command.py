"""`node-runtime sbom`: prints the bill of materials of a release that is as it was built, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.nodes.fil_node import command, environment
from tests.support.nodes.tiny_node import NAME, install, tarball_of

SBOM = "releases/1.0/sbom.cdx.json"


def sbom(*words: object, code: int = 0) -> str:
    done = command("node-runtime", "sbom", *words, env=environment(Path.cwd()), code=code)
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tarball_of(tmp_path_factory.mktemp("sbom"))


def test_a_tarball_and_a_node_made_from_it_have_the_same_bill_of_materials(tarball: Path, tmp_path: Path) -> None:
    printed = sbom(tarball)
    document = json.loads(printed)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == NAME.partition("@")[0]
    directory = install(tarball, tmp_path / "home").directory
    assert printed == (directory / SBOM).read_text()
    assert sbom(directory) == printed
    assert sbom(directory, "1.0") == printed
    assert f"{directory} has no release 9; it has 1.0." in sbom(directory, "9", code=1)
    changed = directory / SBOM
    changed.write_text(changed.read_text().replace("CycloneDX", "SPDX"))
    assert f"Release 1.0 is damaged: {SBOM} differs from the build" in sbom(directory, code=1)
    changed.unlink()
    assert f"{SBOM} is missing" in sbom(directory, code=1)


def test_what_is_no_release_is_refused_in_a_sentence(tarball: Path, tmp_path: Path) -> None:
    assert "VSN is only for a node's directory" in sbom(tarball, "1.0", code=2)
    assert "is not the directory of a node; pass a node's directory, or a tarball" in sbom(tmp_path, code=1)
    assert "does not exist" in sbom(tmp_path / "nothing", code=2)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(tarball.read_bytes()[:-1000])
    assert "cut.tar.gz is corrupt" in sbom(cut, code=1)

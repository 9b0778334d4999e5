"""An operator stages hostile tarballs on a running node: each is refused, and the node and its restarts go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_runtime.releases.files.manifest import sha256
from tests.support.nodes.tiny_node import NAME, TinyNode, install, stopped_afterwards, tarballs
from tests.support.projects.handmade_release import repacked

__all__ = ["tarballs"]

APPUP = 'vsn = "2.0"\n[[up]]\nfrom = {from}\ninstructions = []\n'
HOSTILE = {
    "an integer of 5,000 digits": ("releases/2.0/sys.toml", "[tiny]\nx = " + "9" * 5000),
    "a hexadecimal integer": ("lib/tiny-2.0/app.toml", 'name = "tiny"\nvsn = "2.0"\n[env]\nx = 0x' + "f" * 5000),
    "a regex with a huge repeat": ("lib/tiny-2.0/appup.toml", APPUP.replace("{from}", "{ regex = '1{4294967294}' }")),
    "a slow regex": ("lib/tiny-2.0/appup.toml", APPUP.replace("{from}", "{ regex = '(1+)+$' }")),
    "3,000 brackets": ("releases/2.0/release.toml", "x = " + "[" * 3000 + "]" * 3000),
    "a key of 300,000 parts": ("releases/2.0/node.toml", "a" + ".a" * 300_000 + " = 1"),
}
QUICK = ("an integer of 5,000 digits", "a slow regex")
"""The kinds that `make test` stages on a node; the corpus of tests/releases/store has more of each kind."""


@pytest.fixture(scope="module")
def node(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyNode]:
    with stopped_afterwards(install(tarballs["1.0"], tmp_path_factory.mktemp("hostile") / "tiny")) as made:
        made.tiny("start")
        yield made


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in HOSTILE]
)
def test_a_hostile_tarball_is_refused_and_the_node_goes_on(
    node: TinyNode, tarballs: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    path, text = HOSTILE[kind]
    tarball = repacked(tarballs["2.0"], tmp_path / "evil.tar.gz", {path: text.encode()})
    before = sorted(found.name for found in (node.directory / "lib").iterdir())
    refused = node.hotdash("stage", NAME, tarball, code=1).stderr
    assert "evil.tar.gz can't be staged: " in refused
    assert "Traceback" not in refused
    assert_unharmed(node)
    assert sorted(found.name for found in (node.directory / "lib").iterdir()) == before
    assert list((node.directory / "var/staging").iterdir()) == []


def test_after_all_that_the_node_restarts_and_takes_the_real_release(node: TinyNode, tarballs: dict[str, Path]) -> None:
    node.tiny("restart")
    assert_unharmed(node)
    node.hotdash("stage", NAME, tarballs["2.0"])
    node.hotdash("upgrade", NAME, "2.0", "--yes", "--commit")
    node.tiny("restart")
    node.tiny("ping")


def test_a_release_that_can_not_be_read_any_more_locks_nobody_out(node: TinyNode, tarballs: dict[str, Path]) -> None:
    """As if a node of an earlier version had recorded it."""
    path, manifest = "releases/1.0/release.toml", node.directory / "releases/1.0/manifest.json"
    for text in ("x = " + "9" * 5000, "x = " + "[" * 3000 + "]" * 3000):
        (node.directory / path).write_text(text)
        recorded = json.loads(manifest.read_bytes())
        recorded["files"][path] |= {"size": len(text), "sha256": sha256(text.encode())}
        manifest.write_text(json.dumps(recorded))
        record = json.loads((node.directory / "releases/record.json").read_bytes())
        record["releases"]["1.0"]["origin"]["manifest"] = sha256(manifest.read_bytes())
        (node.directory / "releases/record.json").write_text(json.dumps(record))
        node.tiny("restart")
        node.tiny("ping")
        listed = {one["vsn"]: one for one in releases(node)}
        assert path in str(listed["1.0"]["damaged"])
        assert listed["2.0"]["damaged"] is None
    node.hotdash("remove", NAME, "1.0")
    assert [one["vsn"] for one in releases(node)] == ["2.0"]
    assert not (node.directory / "lib/tiny-1.0").exists()
    assert not (node.directory / "releases/1.0").exists()


def releases(node: TinyNode) -> list[dict[str, str | None]]:
    listed: list[dict[str, str | None]] = json.loads(node.hotdash("releases", NAME, "-o", "json").stdout)
    return listed


def assert_unharmed(node: TinyNode) -> None:
    node.tiny("ping")
    assert [(one["vsn"], one["damaged"]) for one in releases(node)] == [("1.0", None)]
    assert "tiny_server" in node.hotdash("ps", NAME).stdout

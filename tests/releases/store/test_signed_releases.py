"""Signed releases in a node's directory: what the record keeps of them, and which tarballs it then refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.signature_file import signature_path
from node_runtime.releases.files.manifest import manifest_path, sha256
from node_runtime.releases.signing.secret_key import SecretKey, new_secret_key
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog
from node_runtime.releases.store.release_store import ReleaseStore
from node_runtime.releases.store.staging_request import StageRequest
from node_runtime.releases.store.unpack import unpack
from tests.support.projects.signed_release import BUILT, release, sign, signed_release, statement_of, trust, trusted_key


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The directory of a node that trusts the key `ana`, with its release 1."""
    return tmp_path / "node"


@pytest.fixture
def ana(node: Path, tmp_path: Path) -> SecretKey:
    secret = trusted_key(node)
    unpack(signed_release(tmp_path, secret), node)
    return secret


def entry(node: Path, vsn: str) -> commit_record.RecordedRelease:
    record = commit_record.load(node)
    assert record is not None
    return record.entry(vsn)


def refusal(tarball: Path, node: Path) -> str:
    before = sorted(path for path in node.rglob("*"))
    with pytest.raises(Refused) as refused:
        unpack(tarball, node)
    assert sorted(path for path in node.rglob("*")) == before
    return refused.value.sentence


def test_the_record_keeps_hashes_key_and_build_of_a_release(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball = signed_release(tmp_path, ana, "2", built=BUILT)
    unpack(tarball, node, StageRequest(staged_by="bob"))
    data = (node / manifest_path("2")).read_bytes()
    assert entry(node, "2").origin == commit_record.ReleaseOrigin(
        tarball=sha256(tarball.read_bytes()),
        manifest=sha256(data),
        key=str(ana.public),
        signed_by="ana",
        build=f"20260131T120000Z-{sha256(data)[:12]}",
        staged_by="bob",
    )


@pytest.mark.parametrize("field", ["name", "vsn", "manifest"])
def test_a_signature_for_another_release_is_refused_and_leaves_nothing(
    node: Path, tmp_path: Path, ana: SecretKey, field: str
) -> None:
    tarball, manifest = release(tmp_path, "2")
    true = statement_of(tarball, manifest)
    lie = {"name": "other", "vsn": "3", "manifest": true.manifest[:12] + "0" * 52}[field]
    sign(tarball, replace(true, **{field: lie}), ana)
    what = "sha256 of manifest.json" if field == "manifest" else field
    assert f"its signature names the {what} {lie}, but the tarball has the {what} " in refusal(tarball, node)


def test_the_time_of_the_build_in_the_manifest_is_bound(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball, manifest = release(tmp_path, "2", built=int(BUILT.timestamp()))
    sign(tarball, statement_of(tarball, manifest, built=BUILT + timedelta(seconds=1)), ana)
    assert "its signature names the build id 20260131T120001Z" in refusal(tarball, node)
    sign(tarball, statement_of(tarball, manifest, built=BUILT), ana)
    unpack(tarball, node)


def test_a_refused_signature_leaves_no_new_directory(tmp_path: Path) -> None:
    node = tmp_path / "node"
    trusted_key(node)
    before = sorted(node.rglob("*"))
    tarball, manifest = release(tmp_path)
    sign(tarball, statement_of(tarball, manifest, vsn="9"), new_secret_key())
    with pytest.raises(Refused):
        unpack(tarball, node)
    assert sorted(node.rglob("*")) == before


def test_an_older_build_is_refused_as_new_unless_it_is_wanted(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    older = signed_release(tmp_path, ana, "0.9", built=BUILT - timedelta(days=1))
    assert "it was built at 2026-01-30 12:00:00 UTC, before the newest release" in refusal(older, node)
    unpack(older, node, StageRequest(allow_older=True))
    assert entry(node, "0.9").status == "unpacked"
    unpack(older, node)  # a release that the node knows can always be repaired


def test_the_newest_committed_build_counts_also_when_its_release_is_removed(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    store = ReleaseStore(node)
    store.stage(signed_release(tmp_path, ana, "2", built=BUILT + timedelta(days=2)))
    uncommitted = signed_release(tmp_path, ana, "1.5", built=BUILT + timedelta(days=1))
    store.stage(uncommitted)  # release 2 is not committed yet
    store.remove("1.5")
    store._change(lambda record: record.with_permanent("2").with_permanent("1"))
    store.remove("2")
    assert "before the newest release" in refusal(uncommitted, node)


def test_other_content_under_a_known_vsn_is_refused_even_if_the_manifest_here_is_damaged(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    (node / manifest_path("1")).write_text("{}")
    other, manifest = release(tmp_path / "other", built=7)
    sign(other, statement_of(other, manifest, built=datetime.fromtimestamp(7, UTC)), ana)
    with pytest.raises(Refused, match="differs from release 1"):
        unpack(other, node, StageRequest(allow_older=True))


def test_a_manifest_that_was_replaced_is_damage_until_the_tarball_is_staged_again(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    path = node / manifest_path("1")
    manifest = json.loads(path.read_bytes())
    source = node / "lib/a-1/src/a.py"
    source.write_text("v = 'evil'")
    manifest["files"]["lib/a-1/src/a.py"] = {"size": 10, "sha256": sha256(source.read_bytes()), "mode": 0o644}
    path.write_text(json.dumps(manifest))
    with pytest.raises(Refused, match="not the manifest that was staged"):
        Catalog(node).verify("1")
    with pytest.raises(Refused, match="not the manifest that was staged"):
        Catalog(node).release("1")
    unpack(tmp_path / "r-1.tar.gz", node)
    Catalog(node).verify("1")
    assert source.read_text() == "v = '1'"


def test_staging_again_with_another_signature_replaces_the_key_but_not_the_person(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    tarball = signed_release(tmp_path, ana, "2")
    unpack(tarball, node, StageRequest(staged_by="ana"))
    bob = new_secret_key()
    trust(node, "bob", bob)
    signed_release(tmp_path, bob, "2")
    unpack(tarball, node, StageRequest(staged_by="carol"))
    origin = entry(node, "2").origin
    assert origin is not None
    assert (origin.signed_by, origin.staged_by) == ("bob", "ana")


def test_an_unsigned_copy_does_not_take_away_the_recorded_signature(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    (node / "etc" / "node.toml").write_text("allow_unsigned = true\n")
    tarball = tmp_path / "r-1.tar.gz"
    signature_path(tarball).unlink()
    unpack(tarball, node)
    origin = entry(node, "1").origin
    assert origin is not None
    assert origin.signed_by == "ana"


@pytest.mark.parametrize("settings", ['revoked = "laptop lost"\n', "not_after = 2020-01-01\n"])
def test_the_tarball_of_a_committed_release_repairs_it_although_its_signature_no_longer_counts(
    node: Path, tmp_path: Path, ana: SecretKey, settings: str
) -> None:
    staged = signed_release(tmp_path, ana, "2")
    unpack(staged, node)
    trust(node, "ana", ana, settings)
    for vsn in ("1", "2"):
        (node / f"lib/a-{vsn}/src/a.py").write_text("v = 'damaged'")
    with pytest.raises(Refused, match="the key ana"):
        unpack(staged, node)  # it was never committed
    signature_path(tmp_path / "r-1.tar.gz").unlink()
    unpack(tmp_path / "r-1.tar.gz", node)
    Catalog(node).verify("1")
    origin = entry(node, "1").origin
    assert origin is not None
    assert origin.signed_by == "ana"
    trust(node, "bob", bob := new_secret_key())
    signed_release(tmp_path, bob)
    unpack(tmp_path / "r-1.tar.gz", node)
    origin = entry(node, "1").origin
    assert origin is not None
    assert origin.signed_by == "bob"


def test_a_record_without_origins_can_be_read(node: Path, ana: SecretKey) -> None:
    path = commit_record.record_path(node)
    record = json.loads(path.read_bytes())
    del record["newest_build"], record["releases"]["1"]["origin"]
    path.write_text(json.dumps(record))
    store = ReleaseStore(node)
    assert store.entry("1").origin is None
    store.catalog.verify("1")

"""Releases whose key is revoked after the staging: what the node still installs, and what it returns to."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest

from node_runtime import gen_statem
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import manifest_path, sha256
from node_runtime.releases.signing.remembered_trust import remembered_path
from node_runtime.releases.signing.secret_key import SecretKey
from node_runtime.releases.store import commit_record
from tests.support.projects.signed_release import trust, trusted_key
from tests.support.projects.small_shop import COUNTER, COUNTER_2, LAMP, LAMP_2, LOAD_COUNTER, LOAD_LAMP
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]


def write_signed(
    small: SmallNode, vsn: str, module: str, appup: str, key: SecretKey | None, name: str = "shop.counter"
) -> None:
    """Write a release whose record says that it was signed by `key`, whose name is ana."""
    small.write(vsn, {name: module}, appup)
    record = commit_record.load(small.root)
    assert record is not None
    origin = commit_record.ReleaseOrigin(
        tarball="0" * 64,
        manifest=sha256((small.root / manifest_path(vsn)).read_bytes()),
        key=None if key is None else str(key.public),
        signed_by=None if key is None else "ana",
        staged_by="bob",
    )
    commit_record.save(small.root, record.with_origin(vsn, origin))


@pytest.fixture
def ana(small: SmallNode) -> SecretKey:
    """The release key of a node that runs release 1 and has release 2, both signed by it."""
    key = trusted_key(small.root)
    write_signed(small, "1", COUNTER, "", key)
    write_signed(small, "2", COUNTER_2, LOAD_COUNTER, key)
    small.boot()
    return key


def revoke(small: SmallNode, key: SecretKey) -> None:
    trust(small.root, "ana", key, 'revoked = "laptop lost"\n')


def signature(small: SmallNode, vsn: str) -> m.ReleaseSignature:
    return next(release.signature for release in small.handler.releases() if release.vsn == vsn)


async def test_a_release_whose_key_was_revoked_is_neither_planned_nor_installed(
    small: SmallNode, ana: SecretKey
) -> None:
    assert (await small.handler.plan("2")).blockers == ()
    revoke(small, ana)
    plan = await small.handler.plan("2")
    assert "was revoked: laptop lost" in plan.blockers[0].reason
    with pytest.raises(Refused, match=rf"the key ana \({ana.public}\), which signed it, was revoked: laptop lost"):
        await small.install("2")
    assert signature(small, "2").standing == "revoked"
    assert small.handler.vsn == "1"


async def test_an_install_that_waits_is_aborted_if_the_key_is_revoked_meanwhile(small: SmallNode) -> None:
    key = trusted_key(small.root)
    write_signed(small, "1", LAMP, "", key, "shop.lamp")
    write_signed(small, "2", LAMP_2, LOAD_LAMP, key, "shop.lamp")
    handler = small.boot()
    lamp = await gen_statem.start(importlib.import_module("shop.lamp").Lamp, "lime", name="lamp")
    operation = handler.install(m.Install(vsn="2", wait=600.0), "ann")
    await eventually(lambda: handler.operation(operation).phase == "waiting", what="the wait")
    revoke(small, key)
    gen_statem.cast(lamp, "green")
    ended = await small.ended(operation)
    assert ended.outcome == "aborted"
    assert f"the key ana ({key.public}), which signed it, was revoked: laptop lost" in str(ended.error)
    assert handler.vsn == "1"


async def test_a_release_on_probation_whose_key_was_revoked_is_not_committed_but_rolled_back(
    small: SmallNode, ana: SecretKey, caplog: pytest.LogCaptureFixture
) -> None:
    await small.install("2")
    revoke(small, ana)
    with pytest.raises(Refused, match="was never committed"):
        await small.handler.commit(m.Commit(), "ann")
    with caplog.at_level(logging.WARNING, "node_runtime"):
        assert (await small.roll_back()).outcome == "reverted"
    assert "release 1 stays usable, because it was committed, although the key ana" in caplog.text
    assert small.handler.vsn == "1"


async def test_a_committed_release_whose_key_was_revoked_is_returned_to_with_a_warning(
    small: SmallNode, ana: SecretKey
) -> None:
    await small.install("2")
    await small.handler.commit(m.Commit(), "ann")
    revoke(small, ana)
    warning = signature(small, "1").warning
    assert warning is not None
    assert "was revoked: laptop lost" in warning
    assert (await small.install("1")).outcome == "installed"


async def test_without_its_key_or_its_signature_a_release_is_not_installed(small: SmallNode, ana: SecretKey) -> None:
    write_signed(small, "3", COUNTER_2, LOAD_COUNTER, None)
    small.new_handler("1")
    with pytest.raises(Refused, match="it is not signed, but the node has release keys"):
        await small.install("3")
    (small.root / "etc/release-keys/ana.pub").rename(small.root / "etc/release-keys/zoe.pub")
    assert signature(small, "2").standing == "signed"
    trusted_key(small.root, "zoe")
    with pytest.raises(Refused, match="is no longer a release key of this node"):
        await small.install("2")


async def test_a_key_that_has_expired_since_the_staging_is_no_obstacle(small: SmallNode, ana: SecretKey) -> None:
    trust(small.root, "ana", ana, "not_after = 2020-01-01\n")
    assert (await small.install("2")).outcome == "installed"


async def test_keys_that_can_not_be_read_refuse_the_install_but_not_the_list(small: SmallNode, ana: SecretKey) -> None:
    (small.root / "etc/release-keys/ana.pub").write_text("nonsense")
    assert [release.signature.standing for release in small.handler.releases()] == ["unknown key", "unknown key"]
    with pytest.raises(Refused, match=r"ana\.pub is not a release key"):
        await small.install("2")


async def test_a_manifest_that_was_replaced_stops_plan_and_install(small: SmallNode, ana: SecretKey) -> None:
    path = small.root / manifest_path("2")
    manifest = small.handler._store.catalog.release("2").manifest
    path.write_bytes(msgspec.structs.replace(manifest, built=1).encoded())
    assert "not the manifest that was staged" in (await small.handler.plan("2")).blockers[0].reason
    operation = await small.install("2")
    assert operation.outcome == "aborted"
    assert "not the manifest that was staged" in str(operation.error)


async def objection(small: SmallNode) -> str:
    """Why release 2 can't be installed now; empty if it can."""
    return "; ".join(blocker.reason for blocker in (await small.handler.plan("2")).blockers)


async def test_a_node_that_loses_its_etc_accepts_no_release_until_somebody_says_so(
    small: SmallNode, ana: SecretKey
) -> None:
    """Its release keys were deleted, replaced or not mounted, while it ran or while it was down."""
    lost = small.root / "etc"
    kept = lost.rename(small.root / "etc.kept")
    assert "etc/release-keys is missing on a node that required signatures" in await objection(small)
    with pytest.raises(Refused, match="etc/release-keys is missing"):
        await small.install("2")
    lost.mkdir()
    (lost / "node.toml").write_text("")
    assert "write `allow_unsigned = true` into" in await objection(small)
    (lost / "node.toml").write_text("allow_unsigned = true\n")
    assert await objection(small) == ""
    (lost / "node.toml").unlink()
    assert await objection(small) == ""
    lost.rmdir()
    kept.rename(lost)
    assert await objection(small) == ""


async def test_a_node_that_loses_its_rule_of_two_people_accepts_no_release_until_somebody_says_so(
    small: SmallNode,
) -> None:
    small.write("1", {"shop.counter": COUNTER})
    small.write("2", {"shop.counter": COUNTER_2}, LOAD_COUNTER)
    settings = small.root / "etc" / "node.toml"
    settings.parent.mkdir()
    settings.write_text("approvals = 2\n")
    approvals = small.boot().approvals
    settings.unlink()
    with pytest.raises(Refused, match=r"node.toml is missing on a node whose installs required 2 people"):
        approvals.check(m.Install(vsn="2"), "ana")
    settings.write_text("")
    approvals.check(m.Install(vsn="2"), "ana")
    settings.unlink()
    approvals.check(m.Install(vsn="2"), "ana")


async def test_what_a_node_remembers_of_its_trust_fails_closed(small: SmallNode, ana: SecretKey) -> None:
    remembered_path(small.root).write_text("{")
    assert "demanded.json can't be read" in await objection(small)

"""A node with release keys: an operator's cookie alone brings no code to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node_runtime.protocol.signature_file import signature_path
from tests.support.nodes.fil_node import command, environment
from tests.support.nodes.tiny_node import NAME, TinyNode, stopped_afterwards, tarballs
from tests.support.waiting import until

__all__ = ["tarballs"]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the key pairs ana and bob, and a folder `trusted` in which only ana's public key is."""
    (tmp_path / "keys" / "trusted").mkdir(parents=True)
    for name in ("ana", "bob"):
        command("node-runtime", "keys", "new", tmp_path / "keys" / name, "--no-password", env=environment(tmp_path))
    (tmp_path / "keys/trusted/ana.pub").write_bytes((tmp_path / "keys/ana.pub").read_bytes())
    return tmp_path / "keys"


@pytest.fixture
def copies(tarballs: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """The tarballs in a folder of the test, so that signatures can be put beside them."""
    (tmp_path / "out").mkdir()
    copied = {vsn: tmp_path / "out" / tarball.name for vsn, tarball in tarballs.items()}
    for vsn, path in copied.items():
        path.hardlink_to(tarballs[vsn])
    return copied


@pytest.fixture
def signed(keys: Path, copies: dict[str, Path], tmp_path: Path) -> Iterator[TinyNode]:
    """A node that trusts ana's key, is not started, and has the release 1.0 that ana has signed."""
    node = TinyNode(tmp_path / "tiny")
    node.run_directory.mkdir(mode=0o700, parents=True)
    sign(copies["1.0"], keys, "ana")
    words = ("install", copies["1.0"], node.directory, "--keys", keys / "trusted")
    command("node-runtime", *words, env=node.environment)
    with stopped_afterwards(node):
        yield node


def sign(tarball: Path, keys: Path, name: str) -> None:
    command("node-runtime", "sign", tarball, "--key", keys / f"{name}.key", env=environment(keys))


def trust(node: TinyNode, keys: Path, name: str, settings: str = "") -> None:
    (node.directory / f"etc/release-keys/{name}.pub").write_text((keys / f"{name}.pub").read_text() + settings)


def shown(node: TinyNode, verb: str) -> Any:
    return json.loads(node.hotdash(verb, NAME, "-o", "json").stdout)


def signature(node: TinyNode, vsn: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one["signature"] for one in shown(node, "releases") if one["vsn"] == vsn)
    return found


@pytest.mark.slow  # tests/releases/test_trusted_releases.py, store/test_signed_releases.py
def test_only_signed_releases_are_staged_and_keys_are_rotated_without_a_restart(
    signed: TinyNode, keys: Path, copies: dict[str, Path]
) -> None:
    signed.tiny("start")
    said = signed.hotdash("stage", NAME, copies["2.0"], code=1).stderr
    assert said.splitlines()[-1].startswith("tiny-2.0.tar.gz is refused: it is not signed; the accepted key is ana (")
    sign(copies["2.0"], keys, "bob")
    assert "the unknown key" in signed.tiny("unpack", copies["2.0"], code=1).stderr
    assert [one["vsn"] for one in shown(signed, "releases")] == ["1.0"]

    trust(signed, keys, "bob")
    assert ", signed by bob (" in signed.tiny("unpack", copies["2.0"]).stdout
    trust(signed, keys, "bob", 'revoked = "laptop lost"\n')
    assert signature(signed, "2.0")["standing"] == "revoked"
    for verb in (("plan", NAME, "2.0"), ("upgrade", NAME, "2.0", "--yes")):
        done = signed.hotdash(*verb, code=1)
        assert "was revoked: laptop lost" in " ".join((done.stdout + done.stderr).split())

    sign(copies["2.0"], keys, "ana")
    signed.hotdash("stage", NAME, copies["2.0"])
    signed.hotdash("upgrade", NAME, "2.0", "--yes")
    signed.hotdash("commit", NAME)
    trust(signed, keys, "ana", 'revoked = "laptop lost"\n')
    signed.tiny("restart")
    assert shown(signed, "status")["info"]["vsn"] == "2.0"
    assert "Release 2.0 is not trusted any more: the key ana (" in signed.log
    outcomes = [entry["outcome"] for entry in shown(signed, "audit") if entry["method"] == "stage_end"]
    assert [str(outcome).split(" (")[0] for outcome in outcomes if outcome] == [
        "refused: tiny-2.0.tar.gz is refused: it is not signed; the accepted key is ana",
        next(str(one).split(" (")[0] for one in outcomes if one and "unknown key" in one),
        "staged 2.0, signed by bob",
        "staged 2.0, signed by ana",
    ]


@pytest.mark.slow  # signing/test_admission.py, files/test_trust_settings.py
def test_allow_unsigned_is_shown_and_audited_and_no_release_can_set_it(
    signed: TinyNode, keys: Path, copies: dict[str, Path], tmp_path: Path
) -> None:
    signed.set("node.toml", "allow_unsigned = true\n")
    signed.tiny("start")
    assert signed.hotdash("stage", NAME, copies["2.0"]).stdout == f"tiny 2.0 is unpacked on {NAME}, unsigned.\n"
    trust = shown(signed, "status")["info"]["trust"]
    assert (trust["allow_unsigned"], [key["name"] for key in trust["keys"]]) == (True, ["ana"])
    assert "UNSIGNED releases (allow_unsigned)" in " ".join(signed.hotdash("status", NAME).stdout.split())
    assert shown(signed, "audit")[-1]["outcome"] == "staged 2.0, unsigned"

    signed.set("node.toml", "")
    done = signed.hotdash("upgrade", NAME, "2.0", "--yes", code=1)
    assert "it is not signed, but the node has release keys" in done.stderr


@pytest.mark.slow  # tests/releases/test_approvals.py has it without a real node
def test_an_install_needs_the_approval_of_a_person_with_another_key(
    signed: TinyNode, keys: Path, copies: dict[str, Path]
) -> None:
    signed.set("node.toml", "approvals = 2\n")
    signed.tiny("start")
    sign(copies["2.0"], keys, "ana")
    signed.hotdash("stage", NAME, copies["2.0"])
    assert "operator has staged release 2.0" in signed.hotdash("approve", NAME, "2.0", code=4).stderr
    assert "needs the approval of a person" in signed.hotdash("upgrade", NAME, "2.0", "--yes", code=4).stderr
    assert "needs the approval of a person with a key other than operator" in signed.hotdash("plan", NAME, "2.0").stdout
    assert shown(signed, "status")["info"]["trust"]["approvals"] == 2
    audited = [(entry["method"], entry["subject"]) for entry in shown(signed, "audit") if entry["phase"] == "outcome"]
    assert audited[-4:] == [("approve", "2.0"), ("plan", "2.0"), ("install", "2.0"), ("plan", "2.0")]
    ana = signed.folder / "ana.cookie"
    signed.tiny("cookie", "--for", "ana", "--out", ana)
    approve = ("approve", NAME, "2.0", "--cookie-file", ana)
    until(lambda: signed.hotdash(*approve, code=None).returncode == 0, "the approval of ana")
    plan = signed.hotdash("plan", NAME, "2.0").stdout
    assert "Approved by ana." in plan
    assert "No more approvals are needed." in plan
    signed.hotdash("upgrade", NAME, "2.0", "--yes")


def test_a_release_whose_manifest_was_replaced_does_not_boot(signed: TinyNode) -> None:
    path = signed.directory / "releases/1.0/manifest.json"
    manifest = json.loads(path.read_bytes())
    source = signed.directory / "lib/tiny-1.0/src/tiny/server.py"
    source.write_text(source.read_text() + "\n# evil\n")
    del manifest["files"]["lib/tiny-1.0/src/tiny/server.py"]
    path.write_text(json.dumps(manifest))
    assert "is not the manifest that was staged" in signed.tiny("start", code=1).stderr


@pytest.mark.slow  # store/test_signed_releases.py refuses such a signature, too
def test_a_signature_is_sent_with_its_tarball_only(signed: TinyNode, keys: Path, copies: dict[str, Path]) -> None:
    signed.tiny("start")
    signature_path(copies["2.0"]).write_bytes(signature_path(copies["1.0"]).read_bytes())
    assert "does not match this file" in signed.hotdash("stage", NAME, copies["2.0"], code=1).stderr
    assert list((signed.directory / "var/staging").iterdir()) == []


@pytest.mark.slow
def test_a_cold_upgrade_needs_the_same_signature_and_the_same_approval(
    signed: TinyNode, keys: Path, copies: dict[str, Path]
) -> None:
    cold = ("upgrade", NAME, "2.0", "--cold", "--yes")
    signed.set("node.toml", "approvals = 2\n")
    signed.tiny("start")
    sign(copies["2.0"], keys, "ana")
    signed.hotdash("stage", NAME, copies["2.0"])
    assert "needs the approval of a person" in signed.hotdash(*cold, code=4).stderr
    signed.tiny("stop")
    assert "installs need approvals; start the node" in signed.tiny("upgrade", "2.0", "--cold", code=1).stderr
    signed.tiny("start")
    ana = signed.folder / "ana.cookie"
    signed.tiny("cookie", "--for", "ana", "--out", ana)
    approve = ("approve", NAME, "2.0", "--cookie-file", ana)
    until(lambda: signed.hotdash(*approve, code=None).returncode == 0, "the approval of ana")

    trusted = signed.directory / "etc/release-keys/ana.pub"
    trust(signed, keys, "ana", 'revoked = "laptop lost"\n')
    assert "was revoked: laptop lost" in signed.hotdash(*cold, code=1).stderr
    trusted.write_bytes((keys / "ana.pub").read_bytes())
    signed.hotdash(*cold)
    info = shown(signed, "status")["info"]
    assert (info["vsn"], info["permanent"]) == ("2.0", "1.0")

    # The parent boots a release on probation only if it is trusted in that moment; else the permanent one boots.
    signed.hotdash("rollback", NAME, "--yes")
    signed.set("node.toml", "")
    signed.tiny("stop")
    trust(signed, keys, "ana", 'revoked = "laptop lost"\n')
    assert "was revoked: laptop lost" in signed.tiny("upgrade", "2.0", "--cold", code=1).stderr

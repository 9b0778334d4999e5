"""The admission of a tarball: with release keys, only what one of them has signed, checked before decompression."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.signature_file import read_signature, signature_path
from node_runtime.releases.signing.admission import Admission, admit
from node_runtime.releases.signing.remembered_trust import remember
from node_runtime.releases.signing.secret_key import SecretKey, new_secret_key
from tests.support.projects.signed_release import release, sign, signed_release, statement_of, trust, trusted_key


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's directory, without keys."""
    return tmp_path / "node"


@pytest.fixture
def ana(node: Path) -> SecretKey:
    """A key that the node trusts."""
    return trusted_key(node)


def admitted(tarball: Path, node: Path) -> Admission:
    return admit(tarball, read_signature(tarball), node)


def refusal(tarball: Path, node: Path) -> str:
    with pytest.raises(Refused) as refused:
        admitted(tarball, node)
    return refused.value.sentence


def test_without_release_keys_any_tarball_is_admitted_as_unsigned(node: Path, tmp_path: Path) -> None:
    tarball = signed_release(tmp_path, new_secret_key())
    assert admitted(tarball, node).key is None
    assert admitted(tarball, node).statement is None


def test_a_folder_for_release_keys_without_a_key_refuses_every_tarball(node: Path, tmp_path: Path) -> None:
    """A disk with the keys that is not mounted, a link to nothing, or a key file with another suffix."""
    tarball, folder = signed_release(tmp_path, new_secret_key()), node / "etc" / "release-keys"
    folder.mkdir(parents=True)
    assert "has no key (NAME.pub)" in refusal(tarball, node)
    (folder / "ana.PUB").write_text("key")
    assert "has no key (NAME.pub)" in refusal(tarball, node)
    (folder / "ana.PUB").unlink()
    folder.rmdir()
    folder.symlink_to("/nonexistent")
    assert "has no key (NAME.pub)" in refusal(tarball, node)


def test_a_pipe_in_place_of_a_key_or_a_tarball_is_refused_without_waiting(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    tarball = signed_release(tmp_path, ana)
    os.mkfifo(node / "etc/release-keys/bob.pub", 0o600)
    assert "bob.pub can't be read: it is not a regular file" in refusal(tarball, node)
    (node / "etc/release-keys/bob.pub").unlink()
    tarball.unlink()
    os.mkfifo(tarball)
    assert "can't be read: it is not a regular file" in refusal(tarball, node)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_that_belongs_to_another_user_is_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    os.chown(node / "etc/release-keys/ana.pub", 65534, -1)
    assert "Other users may change" in refusal(signed_release(tmp_path, ana), node)


def test_a_node_that_is_down_and_has_lost_its_keys_refuses_every_tarball(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    tarball = signed_release(tmp_path, ana)
    remember(node, release_keys=True, approvals=1)
    admitted(tarball, node)
    (node / "etc").rename(tmp_path / "lost")
    assert "etc/release-keys is missing" in refusal(tarball, node)


def test_a_signed_tarball_is_admitted_with_the_name_of_its_key(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    admission = admitted(signed_release(tmp_path, ana), node)
    assert str(admission.key) == f"ana ({ana.public})"
    assert admission.statement is not None
    assert admission.statement.vsn == "1"


def test_an_unsigned_tarball_is_refused_with_the_accepted_keys(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    trusted_key(node, "old", "not_after = 2020-01-01\n")
    sentence = refusal(release(tmp_path)[0], node)
    assert sentence.startswith("r-1.tar.gz is refused: it is not signed; the accepted key is ana (")
    assert "old" not in sentence
    assert "keep r-1.tar.gz.minisig beside it" in sentence


def test_allow_unsigned_admits_an_unsigned_tarball_but_no_wrong_signature(
    node: Path, tmp_path: Path, ana: SecretKey
) -> None:
    (node / "etc" / "node.toml").write_text("allow_unsigned = true\n")
    assert admitted(release(tmp_path)[0], node).key is None
    assert "unknown key" in refusal(signed_release(tmp_path, new_secret_key()), node)


def test_a_changed_tarball_is_refused_before_it_is_decompressed(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball = signed_release(tmp_path, ana)
    tarball.write_bytes(b"not even gzip")
    assert "names the key ana" in refusal(tarball, node)


def test_a_signature_of_an_unknown_key_is_refused_with_both_keys(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    other = new_secret_key()
    sentence = refusal(signed_release(tmp_path, other), node)
    assert f"the unknown key {other.public} has signed it; the accepted key is ana ({ana.public})" in sentence


def test_a_key_that_claims_the_id_of_a_trusted_one_is_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    imposter = replace(new_secret_key(), id=ana.id)
    assert "does not match this file" in refusal(signed_release(tmp_path, imposter), node)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('revoked = "laptop lost"\n', "was revoked (laptop lost); none of the node's release keys is valid any more"),
        ("not_after = 2020-01-01\n", "expired on 2020-01-01"),
        ('role = "test"\n', "has the role test, not release"),
    ],
)
def test_a_key_that_does_not_count_is_refused_by_its_reason(
    node: Path, tmp_path: Path, settings: str, said: str
) -> None:
    assert said in refusal(signed_release(tmp_path, trusted_key(node, "ana", settings)), node)


def test_two_keys_are_accepted_while_one_replaces_the_other(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    new = trusted_key(node, "ana-2027")
    for number, secret in enumerate((ana, new)):
        assert admitted(signed_release(tmp_path / str(number), secret), node).key is not None
    trust(node, "ana", ana, 'revoked = "replaced"\n')
    assert "was revoked (replaced); the accepted key is ana-2027" in refusal(tmp_path / "0" / "r-1.tar.gz", node)
    assert admitted(tmp_path / "1" / "r-1.tar.gz", node).key is not None


def test_an_expired_signature_is_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball, manifest = release(tmp_path)
    sign(tarball, statement_of(tarball, manifest, expires=datetime.now(UTC) - timedelta(seconds=2)), ana)
    assert "expired at" in refusal(tarball, node)


def test_a_build_of_the_future_is_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball = signed_release(tmp_path, ana, built=datetime.now(UTC) + timedelta(days=2))
    assert "is more than 24 h in the future" in refusal(tarball, node)


def test_a_statement_about_another_tarball_is_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball, manifest = release(tmp_path)
    sign(tarball, statement_of(tarball, manifest, sha256="0" * 64), ana)
    assert "names a tarball with the sha256 0000" in refusal(tarball, node)
    sign(tarball, "just a comment", ana)
    assert "not a statement about a release" in refusal(tarball, node)


@pytest.mark.parametrize("wrong", [b"", b"untrusted comment: x\n", b"\xff" * 100])
def test_a_signature_file_with_something_else_is_refused(
    node: Path, tmp_path: Path, ana: SecretKey, wrong: bytes
) -> None:
    tarball = signed_release(tmp_path, ana)
    signature_path(tarball).write_bytes(wrong)
    assert "its signature can't be used" in refusal(tarball, node)


def test_a_signature_file_that_is_too_large_is_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball = signed_release(tmp_path, ana)
    signature_path(tarball).write_bytes(b"x" * 5000)
    assert "more than 4,096 bytes" in refusal(tarball, node)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"key\nline\n",
        b"untrusted comment: x\nRWQ\n",
        b"\xff\xfe",
        b"untrusted comment: x\n" + b"x" * 20000,
    ],
)
def test_a_wrong_key_file_refuses_every_tarball(node: Path, tmp_path: Path, ana: SecretKey, content: bytes) -> None:
    (node / "etc" / "release-keys" / "bob.pub").write_bytes(content)
    assert "bob.pub is not a release key" in refusal(signed_release(tmp_path, ana), node)


@pytest.mark.parametrize(
    "settings", ['revokd = "typo"', "revoked = true", "role = 'A B'", "not_after = 'soon'", "a = ["]
)
def test_a_setting_of_a_key_that_can_not_be_read_refuses_every_tarball(
    node: Path, tmp_path: Path, ana: SecretKey, settings: str
) -> None:
    trusted_key(node, "bob", settings)
    assert "bob.pub is not a release key" in refusal(signed_release(tmp_path, ana), node)


def test_keys_that_other_users_may_change_are_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    tarball, folder = signed_release(tmp_path, ana), node / "etc" / "release-keys"
    (folder / "ana.pub").chmod(0o666)
    assert "Other users may change" in refusal(tarball, node)
    (folder / "ana.pub").chmod(0o644)
    folder.chmod(0o777)
    assert "Other users may change" in refusal(tarball, node)


def test_two_keys_with_one_id_are_refused(node: Path, tmp_path: Path, ana: SecretKey) -> None:
    trust(node, "bob", replace(new_secret_key(), id=ana.id))
    assert "two keys with the id" in refusal(signed_release(tmp_path, ana), node)

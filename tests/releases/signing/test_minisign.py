"""minisign's format: files of minisign and of this project can be used by both."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from node_runtime.releases.signing.minisign import (
    MalformedFile,
    PublicKey,
    Signature,
    decode_public_key,
    decode_signature,
    is_valid,
)
from node_runtime.releases.signing.secret_key import (
    SecretKey,
    WrongPassword,
    decode_secret_key,
    encode_secret_key,
    new_secret_key,
    scrypt_parameters,
)

needs_minisign = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")


def digest(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes()).digest()


def minisign(folder: Path, *words: str, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run minisign, whose home is `folder`."""
    return subprocess.run(
        ("minisign", *words), cwd=folder, input=input, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content\n" * 1000)
    return path


@pytest.fixture(scope="module")
def secret() -> SecretKey:
    return new_secret_key()


@pytest.fixture
def signature(file: Path, secret: SecretKey) -> Signature:
    return secret.sign(digest(file), "a comment")


@needs_minisign
def test_a_signature_of_minisign_is_verified(file: Path, tmp_path: Path) -> None:
    assert minisign(tmp_path, "-G", "-W", "-p", "k.pub", "-s", "k.key").returncode == 0
    assert minisign(tmp_path, "-S", "-s", "k.key", "-m", "file", "-t", "trust me").returncode == 0
    key = decode_public_key((tmp_path / "k.pub").read_text().splitlines()[1])
    made = decode_signature((tmp_path / "file.minisig").read_bytes())
    assert made.trusted_comment == "trust me"
    assert is_valid(made, key, digest(file))
    file.write_bytes(b"other content")
    assert not is_valid(made, key, digest(file))


@needs_minisign
def test_minisign_verifies_our_signature_also_with_settings_below_the_key(file: Path, tmp_path: Path) -> None:
    secret = new_secret_key()
    signature = secret.sign(digest(file), "hotdash1 …").encoded("by a test")
    (tmp_path / "file.minisig").write_text(signature)
    (tmp_path / "k.pub").write_text(f'untrusted comment: k\n{secret.public.encoded()}\nrole = "release"\n')
    done = minisign(tmp_path, "-V", "-p", "k.pub", "-m", "file")
    assert done.returncode == 0, done.stderr
    assert "Trusted comment: hotdash1 …" in done.stdout


@needs_minisign
@pytest.mark.parametrize("password", ["correct horse", None])
def test_minisign_signs_with_our_secret_key(
    file: Path, tmp_path: Path, secret: SecretKey, password: str | None
) -> None:
    text = encode_secret_key(secret, None if password is None else password.encode())
    (tmp_path / "k.key").write_text(text)
    done = minisign(tmp_path, "-S", "-s", "k.key", "-m", "file", input=f"{password or ''}\n")
    assert done.returncode == 0, done.stderr
    assert is_valid(decode_signature((tmp_path / "file.minisig").read_bytes()), secret.public, digest(file))


@needs_minisign
def test_the_secret_key_of_minisign_can_be_read(tmp_path: Path) -> None:
    assert minisign(tmp_path, "-G", "-W", "-p", "k.pub", "-s", "k.key").returncode == 0
    read = decode_secret_key((tmp_path / "k.key").read_text(), None)
    assert read.public == decode_public_key((tmp_path / "k.pub").read_text().splitlines()[1])


@needs_minisign
def test_a_signature_of_the_older_kind_is_refused(file: Path, tmp_path: Path) -> None:
    assert minisign(tmp_path, "-G", "-W", "-p", "k.pub", "-s", "k.key").returncode == 0
    assert minisign(tmp_path, "-S", "-l", "-s", "k.key", "-m", "file").returncode == 0
    with pytest.raises(MalformedFile, match="older kind"):
        decode_signature((tmp_path / "file.minisig").read_bytes())


def test_scrypt_has_the_parameters_that_libsodium_chooses_for_its_limits() -> None:
    assert scrypt_parameters(1 << 25, 1 << 30) == (1 << 20, 1)  # minisign's own
    assert scrypt_parameters(524288, 16 << 20) == (1 << 14, 1)  # libsodium's interactive ones
    assert scrypt_parameters(4 << 20, 128 << 20) == (1 << 17, 1)  # ours


def test_an_encrypted_key_opens_with_its_password_only(secret: SecretKey) -> None:
    text = encode_secret_key(secret, b"correct horse")
    assert base64.b64encode(secret.seed).decode()[:20] not in text
    assert decode_secret_key(text, b"correct horse") == secret
    with pytest.raises(WrongPassword):
        decode_secret_key(text, b"battery staple")


def test_a_key_that_asks_for_too_much_memory_is_refused_before_that(secret: SecretKey) -> None:
    comment, line, _ = encode_secret_key(secret, b"x").split("\n")
    data = bytearray(base64.b64decode(line))
    data[46:54] = (1 << 40).to_bytes(8, "little")
    with pytest.raises(MalformedFile, match="more memory"):
        decode_secret_key(f"{comment}\n{base64.b64encode(data).decode()}\n", b"x")


def test_a_secret_key_is_not_shown(secret: SecretKey) -> None:
    assert repr(secret.seed) not in repr(secret)


def test_each_changed_part_makes_a_signature_invalid(file: Path, secret: SecretKey, signature: Signature) -> None:
    assert is_valid(signature, secret.public, digest(file))
    other = new_secret_key()
    flipped = bytes([signature.of_file[0] ^ 1]) + signature.of_file[1:]
    for changed in (
        Signature(signature.key_id, flipped, "a comment", signature.of_comment),
        Signature(signature.key_id, signature.of_file, "a Comment", signature.of_comment),
        Signature(signature.key_id, signature.of_file, "a comment", signature.of_file),
        Signature(other.id, signature.of_file, "a comment", signature.of_comment),
    ):
        assert not is_valid(changed, secret.public, digest(file))
    assert not is_valid(signature, PublicKey(secret.id, other.public.raw), digest(file))
    assert not is_valid(signature, PublicKey(secret.id, b"\xff" * 32), digest(file))


def test_the_comment_of_one_signature_does_not_fit_another(tmp_path: Path, secret: SecretKey) -> None:
    (first := tmp_path / "1").write_bytes(b"1")
    (second := tmp_path / "2").write_bytes(b"2")
    one, two = secret.sign(digest(first), "first"), secret.sign(digest(second), "second")
    mixed = Signature(secret.id, one.of_file, two.trusted_comment, two.of_comment)
    assert not is_valid(mixed, secret.public, digest(first))


def test_a_signature_file_that_is_not_exactly_right_is_refused(signature: Signature) -> None:
    text = signature.encoded("u")
    lines = text.splitlines()
    assert decode_signature(text.encode()) == signature
    assert decode_signature(text.replace("\n", "\r\n").encode()) == signature
    for wrong in (
        "",
        text + "\nmore",
        "\n".join(lines[:3]),
        text.replace("untrusted", "untrust"),
        text.replace(lines[1], lines[1][:-8]),
        text.replace(lines[1], lines[1][:-1] + "!"),
        text.replace(lines[1], "RWT6" + lines[1][4:]),
        text.replace(lines[3], ""),
    ):
        with pytest.raises(MalformedFile):
            decode_signature(wrong.encode())
    with pytest.raises(MalformedFile):
        decode_signature(b"untrusted comment: \xff\n")

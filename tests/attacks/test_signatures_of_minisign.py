"""Signatures that the program minisign makes, and that an attacker changes, for a node with release keys."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.signing.admission import admit
from node_runtime.releases.signing.release_keys import release_keys_folder
from node_runtime.releases.store.tarball_reader import open_tarball
from tests.support.projects.signed_release import release, statement_of

pytestmark = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""The order of the group of Ed25519: a signature with this number added to its second half looks valid, too."""
Change = Callable[[list[str]], list[str]]


def changed_bytes(line: str, change: Callable[[bytearray], None]) -> str:
    data = bytearray(base64.b64decode(line))
    change(data)
    return base64.b64encode(data).decode()


def add_order(data: bytearray) -> None:
    data[-32:] = (int.from_bytes(data[-32:], "little") + ORDER).to_bytes(32, "little")


def flip_key_id(data: bytearray) -> None:
    data[2] ^= 1


def call_legacy(data: bytearray) -> None:
    data[:2] = b"Ed"


CHANGES: Final[dict[str, Change]] = {
    "another name in the trusted comment": lambda found: [*found[:2], found[2].replace("name=r", "name=s"), found[3]],
    "another time of expiry": lambda found: [*found[:2], found[2].replace("expires=20", "expires=21"), found[3]],
    "a blank after the trusted comment": lambda found: [*found[:2], f"{found[2]} ", found[3]],
    "no signature of the trusted comment": lambda found: [*found[:3], ""],
    "the signature of the file in place of that of the comment": lambda found: [
        *found[:3], base64.b64encode(base64.b64decode(found[1])[10:]).decode(),
    ],
    "three lines": lambda found: found[:3],
    "five lines": lambda found: [*found, "x"],
    "a second form of the file's signature": lambda found: [found[0], changed_bytes(found[1], add_order), *found[2:]],
    "a second form of the comment's signature": lambda found: [*found[:3], changed_bytes(found[3], add_order)],
    "the id of another key": lambda found: [found[0], changed_bytes(found[1], flip_key_id), *found[2:]],
    "the mark of the older kind": lambda found: [found[0], changed_bytes(found[1], call_legacy), *found[2:]],
    "a blank in the signature": lambda found: [found[0], f"{found[1][:9]} {found[1][9:]}", *found[2:]],
    "a no-break space after the signature": lambda found: [found[0], f"{found[1]}\u00a0", *found[2:]],
}  # fmt: skip


def minisign(folder: Path, *words: object) -> None:
    subprocess.run(("minisign", *map(str, words)), cwd=folder, capture_output=True, check=True, timeout=60)


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    """A tarball, and a node in the folder `node` that trusts the key k of minisign; x is another key."""
    keys = release_keys_folder(tmp_path / "node")
    keys.mkdir(parents=True)
    for name in ("k", "x"):
        minisign(tmp_path, "-G", "-W", "-p", f"{name}.pub", "-s", f"{name}.key")
    (keys / "k.pub").write_bytes((tmp_path / "k.pub").read_bytes())
    return release(tmp_path)[0]


def signed(tarball: Path, *options: str, key: str = "k") -> list[str]:
    """The lines of minisign's signature with the true statement as its trusted comment."""
    with open_tarball(tarball) as archive:
        manifest = archive.manifest_bytes
    signature = tarball.with_name("signature")
    signature.unlink(missing_ok=True)
    statement = statement_of(tarball, manifest).line()
    words = ("-S", "-s", f"{key}.key", "-m", tarball, "-x", signature, "-t", statement, *options)
    minisign(tarball.parent, *words)
    return signature.read_text().splitlines()


def admitted(tarball: Path, lines: list[str]) -> str:
    """The name of the key with whose signature the node admits the tarball."""
    admission = admit(tarball, "".join(f"{line}\n" for line in lines).encode(), tarball.parent / "node")
    assert admission.key is not None
    return admission.key.name


def test_a_release_that_minisign_has_signed_is_admitted(tarball: Path) -> None:
    assert admitted(tarball, signed(tarball)) == "k"


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_signature_is_refused(tarball: Path, change: str) -> None:
    with pytest.raises(Refused):
        admitted(tarball, CHANGES[change](signed(tarball)))


@pytest.mark.parametrize(("options", "key"), [((), "x"), (("-l",), "k")])
def test_another_key_and_the_older_kind_are_refused(tarball: Path, options: tuple[str, ...], key: str) -> None:
    with pytest.raises(Refused):
        admitted(tarball, signed(tarball, *options, key=key))


def test_a_signature_of_the_older_kind_that_claims_to_be_of_the_newer_one_is_refused(tarball: Path) -> None:
    first, second, *rest = signed(tarball, "-l")

    def call_newer(data: bytearray) -> None:
        data[:2] = b"ED"

    with pytest.raises(Refused, match="does not match this file"):
        admitted(tarball, [first, changed_bytes(second, call_newer), *rest])


def test_a_signature_of_another_key_with_the_id_of_a_trusted_one_is_refused(tarball: Path) -> None:
    trusted = base64.b64decode(signed(tarball)[1])
    first, second, *rest = signed(tarball, key="x")

    def claim(data: bytearray) -> None:
        data[2:10] = trusted[2:10]

    with pytest.raises(Refused, match="does not match this file"):
        admitted(tarball, [first, changed_bytes(second, claim), *rest])


def test_the_comment_of_another_signature_is_refused(tarball: Path) -> None:
    with pytest.raises(Refused, match="does not match this file"):
        admitted(tarball, [*signed(tarball)[:2], *signed(tarball, key="x")[2:]])

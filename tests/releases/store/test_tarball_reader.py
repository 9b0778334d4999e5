"""The reader accepts exactly what the build writes, in bounded memory: everything else is refused with a sentence."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable

import msgspec
import pytest

from node_runtime.releases.files.manifest import FileEntry
from node_runtime.releases.store.decompressed import CorruptTarball
from node_runtime.releases.store.tarball_reader import TarballReader
from tests.support.projects.handmade_release import Member, archive_of, handmade, manifest_of, member, members

LONG = f"lib/a-1/{'long' * 30}/ä.py"
FILES = {"bin/r": b"#!", LONG: b"x = 1", "lib/a-1/empty.py": b"", "lib/a-1/block.py": bytes(512)}


def archive() -> bytes:
    return archive_of(members(*handmade("1", FILES)))


def contents(tarball: bytes) -> dict[str, bytes]:
    return {path: b"".join(pieces) for path, pieces in TarballReader(io.BytesIO(tarball)).members()}


def refusal(tarball: bytes) -> str:
    with pytest.raises(CorruptTarball) as corrupt:
        contents(tarball)
    return str(corrupt.value)


def test_all_files_are_read() -> None:
    assert contents(gzip.compress(archive())) == handmade("1", FILES)[1]


def test_a_file_that_nobody_wants_is_verified_all_the_same() -> None:
    parts = members(*handmade("1", FILES))
    parts[-1] = (parts[-1][0], b"y" * 512)
    with pytest.raises(CorruptTarball, match="another hash"):
        for _ in TarballReader(io.BytesIO(gzip.compress(archive_of(parts)))).members():
            pass


def test_a_tarball_is_refused_wherever_it_was_cut() -> None:
    tarball = gzip.compress(archive())
    for length in range(len(tarball)):
        assert refusal(tarball[:length])


def test_a_flipped_bit_is_refused_wherever_it_changes_anything() -> None:
    tarball = gzip.compress(archive())
    harmless = 0
    for place in range(len(tarball)):
        flipped = bytearray(tarball)
        flipped[place] ^= 1 << place % 8
        if is_still(archive(), flipped):  # gzip's time and system, and the padding of the last bits
            harmless += 1
            continue
        assert refusal(bytes(flipped))
    assert harmless < 30


def is_still(content: bytes, data: bytes | bytearray) -> bool:
    try:
        return gzip.decompress(data) == content
    except (OSError, EOFError, zlib.error):
        return False


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in (1, 2, 3, 4))])
def test_no_byte_beside_the_manifest_can_be_another_one(first: int) -> None:
    """`make test` tries every fifth byte."""
    whole, end = archive(), 512 + len(handmade("1", FILES)[0].encoded())
    for place in (*range(512), *range(end, len(whole)))[first::5]:
        changed = bytearray(whole)
        changed[place] ^= 0x20
        assert refusal(gzip.compress(changed, compresslevel=1))


@pytest.mark.parametrize(
    ("tail", "sentence"),
    [
        (b"\0", "something follows the end"),
        (b"evil", "something follows the end"),
        (gzip.compress(b"", mtime=0), "something follows the end"),
        (gzip.compress(b"evil", mtime=0), "something follows the end"),
    ],
)
def test_nothing_may_follow_the_end_of_the_file(tail: bytes, sentence: str) -> None:
    assert sentence in refusal(gzip.compress(archive()) + tail)


@pytest.mark.parametrize("tail", [b"\0", b"evil", bytes(512), bytes(10240), bytes(32 << 20), archive()])
def test_nothing_may_follow_the_end_of_the_archive(tail: bytes) -> None:
    assert "more bytes than the files in its manifest" in refusal(gzip.compress(archive() + tail))


def test_the_end_of_the_archive_must_be_whole() -> None:
    assert refusal(gzip.compress(archive()[:-512])) == "it is cut off"


def header(change: Callable[[tarfile.TarInfo], object], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """The tarball with a change of the last member's header."""
    parts = members(*handmade("1", {"lib/a-1/a.py": b"x"}))
    info, data = parts[-1]
    change(info)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=kind) as written:
        for other, content in parts[:-1]:
            written.addfile(other, io.BytesIO(content))
        written.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue())


def setting(name: str, value: object) -> Callable[[tarfile.TarInfo], object]:
    return lambda info: setattr(info, name, value)


@pytest.mark.parametrize(
    "tarball",
    [
        header(setting("mtime", 1)),
        header(setting("mtime", 1.5)),
        header(setting("uid", 1)),
        header(setting("gname", "root")),
        header(setting("mode", 0o4755)),
        header(setting("mode", 0o755)),
        header(setting("linkname", "x")),
        header(setting("type", tarfile.DIRTYPE)),
        header(setting("type", tarfile.AREGTYPE)),
        header(setting("type", tarfile.CONTTYPE)),
        header(setting("type", tarfile.GNUTYPE_SPARSE)),
        header(setting("type", tarfile.SYMTYPE)),
        header(setting("pax_headers", {"path": "lib/a-1/a.py"})),
        header(setting("pax_headers", {"size": "1"})),
        header(setting("pax_headers", {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})),
        header(setting("pax_headers", {"comment": "x" * 100_000})),
        header(lambda info: None, tarfile.GNU_FORMAT),
    ],
)
def test_a_header_of_another_form_is_refused(tarball: bytes) -> None:
    assert refusal(tarball)


def test_a_size_that_is_not_octal_is_refused() -> None:
    whole = bytearray(archive())
    whole[124:136] = b"\x80" + bytes(7) + struct.pack(">I", 100)
    assert refusal(gzip.compress(whole)) == "it doesn't begin with a manifest"


def test_a_manifest_of_any_size_costs_no_more_than_the_limit() -> None:
    parts: list[Member] = [member("releases/1/manifest.json", bytes(17 << 20))]
    assert refusal(gzip.compress(archive_of(parts))) == "it doesn't begin with a manifest"


def test_a_promise_out_of_proportion_is_refused_before_anything_is_read() -> None:
    manifest = manifest_of("1", {})
    promised = msgspec.structs.replace(manifest, files={"lib/a-1/x": FileEntry(size=2 << 30, sha256="")})
    parts = [member("releases/1/manifest.json", promised.encoded())]
    assert "more than 200 times the" in refusal(gzip.compress(archive_of(parts)))


def test_a_large_file_is_never_in_memory() -> None:
    noise = random.Random(1).randbytes(1 << 20)
    files = {"lib/a-1/noise": noise, "lib/a-1/zeros": bytes(128 << 20)}
    tarball = gzip.compress(archive_of(members(manifest_of("1", files), files)), compresslevel=1)
    del files
    tracemalloc.start()
    try:
        read = sum(len(piece) for _, pieces in TarballReader(io.BytesIO(tarball)).members() for piece in pieces)
        assert read == 129 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()

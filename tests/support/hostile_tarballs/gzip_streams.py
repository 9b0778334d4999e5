"""Tarballs whose gzip container is wrong, has several members, or promises far more than it has."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable

from .good_release import GoodRelease
from .hostile_tarball import HostileTarball, Verdict, all_of
from .raw_tar import archive, compressed_with_zeros, octal


def stream(label: str, change: Callable[[bytes], bytes], verdict: Verdict = "corrupt") -> HostileTarball:
    """The gzip file of the good release, changed."""
    return HostileTarball(f"gzip: {label}", lambda good: change(good.tarball()), verdict)


def content(label: str, change: Callable[[bytes], bytes], verdict: Verdict = "corrupt") -> HostileTarball:
    """The good archive in another container."""
    return HostileTarball(f"container: {label}", lambda good: change(archive(good.members())), verdict)


def with_header(flags: int, fields: bytes) -> Callable[[bytes], bytes]:
    """Other flags in gzip's header, and the fields for them."""
    return lambda data: data[:3] + bytes([flags]) + data[4:10] + fields + data[10:]


def replaced(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """Other bytes at an offset, which may count from the end."""

    def change(data: bytes) -> bytes:
        place = offset if offset >= 0 else len(data) + offset
        return data[:place] + value + data[place + len(value) :]

    return change


def zipped(data: bytes) -> bytes:
    """A zip archive with this content."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archived:
        archived.writestr("release.tar", data)
    return target.getvalue()


def split(data: bytes, *places: int) -> bytes:
    """Several gzip members, one after the other, that together have the data."""
    bounds = [0, *places, len(data)]
    return b"".join(gzip.compress(data[start:end], 1) for start, end in itertools.pairwise(bounds))


HEADERS = [
    stream("first magic byte", replaced(0, b"\x1e")),
    stream("second magic byte", replaced(1, b"\x8a")),
    stream("method 0", replaced(2, b"\0")),
    stream("method 9", replaced(2, b"\x09")),
    stream("reserved flag", replaced(3, b"\x20"), "harmless"),
    stream("all flags", replaced(3, b"\xff")),
    stream("time", replaced(4, b"\xff\xff\xff\xff"), "harmless"),
    stream("system", replaced(9, b"\x00"), "harmless"),
    stream("file name", with_header(8, b"../../evil\0"), "harmless"),
    stream("file name of 1 MB", with_header(8, b"a" * 1_000_000 + b"\0"), "harmless"),
    stream("file name without an end", lambda data: with_header(8, b"a" * 100)(data[:10])),
    stream("comment of 1 MB", with_header(16, b"a" * 1_000_000 + b"\0"), "harmless"),
    stream("extra field", with_header(4, b"\x04\0evil"), "harmless"),
    stream("extra field longer than the file", lambda data: with_header(4, b"\xff\xff")(data[:10])),
    stream("wrong checksum of its header", with_header(2, b"\0\0"), "harmless"),
    stream("encrypted flag", replaced(3, b"\x80"), "harmless"),
]
TRAILERS = [
    stream("checksum zero", replaced(-8, bytes(4))),
    stream("checksum one bit off", lambda data: replaced(-8, bytes([data[-8] ^ 1]))(data)),
    stream("size zero", replaced(-4, bytes(4))),
    stream("size one more", lambda data: data[:-4] + struct.pack("<I", struct.unpack("<I", data[-4:])[0] + 1)),
    stream("no trailer, but zeros", replaced(-8, bytes(8))),
    stream("bytes after it", lambda data: data + b"evil"),
    stream("script after it", lambda data: data + b"\n#!/bin/sh\nrm -rf ~\n"),
    stream("zip after it", lambda data: data + zipped(b"evil")),
    stream("zeros after it", lambda data: data + bytes(1000), "harmless"),
    stream("zeros and bytes after it", lambda data: data + bytes(1000) + b"evil"),
    stream("magic bytes after it", lambda data: data + b"\x1f\x8b"),
    stream("empty member after it", lambda data: data + gzip.compress(b""), "harmless"),
    stream("10,000 empty members after it", lambda data: data + gzip.compress(b"") * 10_000, "harmless"),
    stream("member of zeros after it", lambda data: data + gzip.compress(bytes(10_240)), "harmless"),
    stream("member of text after it", lambda data: data + gzip.compress(b"evil")),
    stream("the same member again", lambda data: data + data),
    stream("empty member before it", lambda data: gzip.compress(b"") + data, "harmless"),
    stream("1 MB of zeros before it", lambda data: bytes(1 << 20) + data),
    stream("byte before it", lambda data: b"\0" + data),
]
DEFLATE = [
    stream("block of a reserved type", replaced(10, b"\x07")),
    stream("first byte of the data", replaced(10, b"\xff")),
    stream("bytes of ones in the middle", lambda data: replaced(len(data) // 2, b"\xff" * 40)(data)),
    stream("zeros in the middle", lambda data: replaced(len(data) // 2, bytes(40))(data)),
    stream("swapped halves", lambda data: data[:10] + data[len(data) // 2 :] + data[10 : len(data) // 2]),
]
CONTAINERS = [
    content("none", lambda data: data),
    content("bzip2", bz2.compress),
    content("xz", lzma.compress),
    content("zlib", zlib.compress),
    content("zip", zipped),
    content("gzip twice", lambda data: gzip.compress(gzip.compress(data))),
    content("text", lambda data: b"a text"),
    content("a text in gzip", lambda data: gzip.compress(b"a text")),
    content("HTML page of a proxy", lambda data: b"<!DOCTYPE html><title>404</title>" * 20),
    content("zeros", lambda data: bytes(10_240)),
    content("zeros in gzip", lambda data: gzip.compress(bytes(10_240))),
    content("two gzip members, cut in a header", lambda data: split(data, 700), "harmless"),
    content("two gzip members, cut at a block", lambda data: split(data, 512), "harmless"),
    content("a gzip member for each block", lambda data: split(data, *range(512, 512 * 40, 512)), "harmless"),
    content("not compressed", lambda data: gzip.compress(data, 0), "harmless"),
    content("a cpio archive", lambda data: gzip.compress(b"070701" + b"0" * 104 + b"TRAILER!!!\0")),
]


def bomb(label: str, build: Callable[[GoodRelease], bytes]) -> HostileTarball:
    """A small file that becomes large."""
    return HostileTarball(f"bomb: {label}", build)


def promise(good: GoodRelease, size: int, zeros: int) -> bytes:
    """A release with a file of `size` bytes by its manifest and its header, of which the tarball has some zeros."""
    listed = good.with_file(f"{good.app}/priv/large", b"").with_entry(f"{good.app}/priv/large", size=size)
    members = listed.members()
    place = next(index for index, member in enumerate(members) if b"priv/large" in member.header)
    large = members[place].with_field("size", octal(size, 12))
    return compressed_with_zeros(archive([*members[:place], large], end=b""), zeros)


def many_files(good: GoodRelease, number: int) -> GoodRelease:
    """A release whose manifest lists many files that are not in the tarball."""
    entry = {"size": 1, "sha256": "0" * 64, "mode": 0o644}
    extra = {f"lib/part{index}-1/x.py": entry for index in range(number)}
    return good.with_manifest(files={**good.manifest["files"], **extra})


BOMBS = [
    bomb("64 MiB of zeros in a listed file", lambda good: promise(good, 64 << 20, 64 << 20)),
    bomb("2 GiB promised, 1 MiB sent", lambda good: promise(good, 2 << 30, 1 << 20)),
    bomb("4 GiB promised, 1 MiB sent", lambda good: promise(good, (4 << 30) - (1 << 20), 1 << 20)),
    bomb("5 GiB promised", lambda good: promise(good, 5 << 30, 0)),
    bomb("64 MiB of zeros before the manifest", lambda good: compressed_with_zeros(b"", 64 << 20)),
    bomb("64 MiB of zeros after the end", lambda good: compressed_with_zeros(archive(good.members()), 64 << 20)),
    bomb("64 MiB of zeros as the manifest", lambda good: zero_manifest(good, 64 << 20)),
    bomb("15 MiB of zeros as the manifest", lambda good: zero_manifest(good, 15 << 20)),
    bomb("75,000 files in 75,000 folders", lambda good: many_files(good, 75_000).tarball()),
    bomb("120,000 files", lambda good: many_files(good, 120_000).tarball()),
]


def zero_manifest(good: GoodRelease, size: int) -> bytes:
    header = good.members()[0].with_field("size", octal(size, 12)).header
    return compressed_with_zeros(header, size)


ALL = all_of(HEADERS, TRAILERS, DEFLATE, CONTAINERS, BOMBS)

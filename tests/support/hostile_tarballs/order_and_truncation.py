"""Tarballs whose members are in another order, missing or there twice, and tarballs that end too early or too late."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from .good_release import GoodRelease
from .hostile_tarball import HostileTarball, Verdict, all_of, changed_members
from .raw_tar import BLOCK, END, RECORD, Member, archive, compressed


def changed(member: Member) -> Member:
    return member.containing(b"EVIL = 1\n")


def flipped(member: Member) -> Member:
    return member.containing(bytes([member.data[0] ^ 1]) + member.data[1:])


def zeros(member: Member) -> Member:
    return member.containing(bytes(len(member.data)))


def longer(member: Member) -> Member:
    return member.containing(member.data + b"\n")


def same(member: Member) -> Member:
    return member.containing(b"x")


def swapped(members: list[Member]) -> list[Member]:
    """The contents of the first two files exchanged."""
    first, second = members[1], members[2]
    return [members[0], first.containing(second.data), second.containing(first.data), *members[3:]]


ORDER = [
    changed_members("order: no members", lambda members: []),
    changed_members("order: only the manifest", lambda members: members[:1]),
    changed_members("order: no manifest", lambda members: members[1:]),
    changed_members("order: manifest second", lambda members: [members[1], members[0], *members[2:]]),
    changed_members("order: manifest last", lambda members: [*members[1:], members[0]]),
    changed_members("order: manifest twice at the start", lambda members: [members[0], *members]),
    changed_members("order: manifest again at the end", lambda members: [*members, members[0]]),
    changed_members("order: another manifest at the end", lambda members: [*members, members[0].containing(b"{}")]),
    changed_members("order: empty manifest", lambda members: [members[0].containing(b""), *members[1:]]),
    changed_members("order: first file twice", lambda members: [*members, members[1]]),
    changed_members("order: every file twice", lambda members: [*members, *members[1:]]),
    changed_members("order: last file again with another content", lambda members: [*members, changed(members[-1])]),
    changed_members("order: another content first", lambda members: [*members[:-1], changed(members[-1]), members[-1]]),
    changed_members("order: last file missing", lambda members: members[:-1]),
    changed_members("order: first file missing", lambda members: [members[0], *members[2:]]),
    changed_members("order: two files swapped", swapped),
    changed_members("order: all files the other way round", lambda members: [members[0], *members[:0:-1]], "harmless"),
    changed_members("content: one bit", lambda members: [*members[:-1], flipped(members[-1])]),
    changed_members("content: empty", lambda members: [*members[:-1], members[-1].containing(b"")]),
    changed_members("content: zeros", lambda members: [*members[:-1], zeros(members[-1])]),
    changed_members("content: one byte more", lambda members: [*members[:-1], longer(members[-1])]),
    changed_members("content: all the same", lambda members: [members[0], *(same(part) for part in members[1:])]),
]


def cut(label: str, place: Callable[[list[Member]], int], verdict: Verdict = "corrupt") -> HostileTarball:
    """The archive ends at this offset; gzip's own length and checksum are right."""

    def build(good: GoodRelease) -> bytes:
        members = good.members()
        return compressed(archive(members)[: place(members)])

    return HostileTarball(f"cut: {label}", build, verdict)


def start_of(members: list[Member], number: int) -> int:
    """The offset of a member's header."""
    return sum(len(member.encoded()) for member in members[:number])


CUTS = [
    cut("at the start", lambda members: 0),
    cut("in the first header", lambda members: 100),
    cut("after the first header", lambda members: BLOCK),
    cut("in the manifest", lambda members: BLOCK + len(members[0].data) // 2),
    cut("in the manifest's padding", lambda members: BLOCK + len(members[0].data) + 1),
    cut("after the manifest", lambda members: start_of(members, 1)),
    cut("in the second header", lambda members: start_of(members, 1) + 1),
    cut("in the second header's checksum", lambda members: start_of(members, 1) + 150),
    cut("after the second header", lambda members: start_of(members, 1) + BLOCK),
    cut("in the first file", lambda members: start_of(members, 1) + BLOCK + 1),
    cut("before the last member", lambda members: start_of(members, len(members) - 1)),
    cut("in the last header", lambda members: start_of(members, len(members) - 1) + 300),
    cut("in the last file", lambda members: start_of(members, len(members)) - BLOCK),
    cut("before the end", lambda members: start_of(members, len(members)), "harmless"),
    cut("in the end's first block", lambda members: start_of(members, len(members)) + 1, "harmless"),
    cut("after the end's first block", lambda members: start_of(members, len(members)) + BLOCK, "harmless"),
]


def ending(label: str, tail: Callable[[GoodRelease], bytes], verdict: Verdict = "corrupt") -> HostileTarball:
    """These bytes follow the last member."""
    return HostileTarball(f"end: {label}", lambda good: compressed(archive(good.members(), end=tail(good))), verdict)


def full_end(good: GoodRelease) -> bytes:
    members = good.members()
    return archive(members)[start_of(members, len(members)) :]


def again(good: GoodRelease) -> bytes:
    return archive(good.members())


ENDS = [
    ending("bytes after it", lambda good: END + b"evil"),
    ending("a block after it", lambda good: END + b"evil".ljust(BLOCK, b"\0")),
    ending("a member after it", lambda good: END + good.header.named(b"../evil").containing(b"x").encoded() + END),
    ending("the same archive again", lambda good: END + again(good)),
    ending("another manifest after it", lambda good: END + good.member(good.manifest_path, b"{}").encoded() + END),
    ending("one byte in the last block of padding", lambda good: END + bytes(8 * BLOCK - 1) + b"x"),
    ending("one block of zeros, then a member", lambda good: bytes(BLOCK) + good.members()[-1].encoded() + END),
    ending("a block after its padding", lambda good: full_end(good) + b"evil".ljust(BLOCK, b"\0")),
    ending("a record of zeros more", lambda good: full_end(good) + bytes(RECORD), "harmless"),
    ending("32 MB of zeros", lambda good: END + bytes(32 << 20)),
    ending("block that is no header", lambda good: b"x" * BLOCK + END),
    ending("block of ones", lambda good: b"\xff" * BLOCK),
    ending("half a block", lambda good: bytes(BLOCK // 2), "harmless"),
]
PADDINGS = [
    HostileTarball("padding: of a file, not zeros", lambda good: compressed(with_padding(good, 1)), "harmless"),
    HostileTarball("padding: of the manifest, not zeros", lambda good: compressed(with_padding(good, 0)), "harmless"),
]


def with_padding(good: GoodRelease, number: int) -> bytes:
    """The archive with other bytes than zeros after the content of a member."""
    members = good.members()
    end = start_of(members, number) + BLOCK + len(members[number].data)
    data = archive(members)
    assert data.startswith(members[0].header)
    return data[:end] + b"\xff" * (-end % BLOCK) + data[end + -end % BLOCK :]


def cut_file(label: str, place: Callable[[bytes], int]) -> HostileTarball:
    """The gzip file itself ends here."""
    return HostileTarball(f"cut file: {label}", lambda good: cut_at(good, place))


def cut_at(good: GoodRelease, place: Callable[[bytes], int]) -> bytes:
    data = good.tarball()
    assert gzip.decompress(data)
    return data[: place(data)]


CUT_FILES = [
    cut_file("empty", lambda data: 0),
    cut_file("one byte", lambda data: 1),
    cut_file("in gzip's header", lambda data: 5),
    cut_file("after gzip's header", lambda data: 10),
    cut_file("a byte later", lambda data: 11),
    cut_file("in the first tenth", lambda data: len(data) // 10),
    cut_file("in the middle", lambda data: len(data) // 2),
    cut_file("before the checksum", lambda data: len(data) - 8),
    cut_file("in the checksum", lambda data: len(data) - 6),
    cut_file("before the size", lambda data: len(data) - 4),
    cut_file("in the size", lambda data: len(data) - 1),
]
ALL = all_of(ORDER, CUTS, ENDS, PADDINGS, CUT_FILES)

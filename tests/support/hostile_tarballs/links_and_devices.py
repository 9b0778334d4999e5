"""Tarballs with members that are no plain files: links, devices, folders and sparse files."""

from __future__ import annotations

from .hostile_tarball import Change, HostileTarball, Verdict, added, all_of, changed_last, changed_members
from .raw_tar import Member, octal, pax_record, sealed

TEMPLATE = Member(
    sealed(
        bytes(100)
        + b"0000644\0" + b"0000000\0" * 2 + b"00000000000\0" * 2 + b" " * 8 + b"0"
        + bytes(100) + b"ustar\x0000" + bytes(247)
    )
)  # fmt: skip
"""A member without name and content."""


def special(name: bytes, flag: bytes, target: bytes = b"", data: bytes = b"") -> Member:
    """A member of another type than a plain file."""
    typed = TEMPLATE.named(name).with_field("typeflag", flag).with_field("linkname", target)
    return typed.containing(data) if data else typed


def instead(label: str, flag: bytes, target: bytes) -> HostileTarball:
    """The last member is a link or a device of the same name."""
    return changed_last(
        f"instead of a file: {label}",
        lambda member: special(member.field("name").rstrip(b"\0"), flag, target),
    )


def through(label: str, *parts: Member, verdict: Verdict = "corrupt") -> HostileTarball:
    """These members come before all files."""
    return changed_members(f"before all files: {label}", before(*parts), verdict)


def before(*parts: Member) -> Change:
    return lambda members: [members[0], *parts, *members[1:]]


INSTEAD = [
    instead("symbolic link to a file", b"2", b"/etc/passwd"),
    instead("symbolic link up", b"2", b"../../../../etc/cookies/operator"),
    instead("symbolic link to itself", b"2", b"server.py"),
    instead("symbolic link to nothing", b"2", b""),
    instead("hard link to a member", b"1", b"bin/tiny"),
    instead("hard link outside", b"1", b"/etc/shadow"),
    instead("hard link to the operator's cookie", b"1", b"etc/cookies/operator"),
    instead("hard link to itself", b"1", b"releases/2.0/sys.toml"),
    instead("character device", b"3", b""),
    instead("block device", b"4", b""),
    instead("folder", b"5", b""),
    instead("fifo", b"6", b""),
]
EXTRA = [
    through("link for the whole lib", special(b"lib", b"2", b"/tmp")),
    through("link for the application's folder", special(b"lib/tiny-2.0", b"2", b"../etc")),
    through("link for the release's folder", special(b"releases/2.0", b"2", b"/tmp")),
    through("link and a file below it", special(b"lib/x", b"2", b"/tmp"), special(b"lib/x/evil", b"0", data=b"x")),
    through("link to a link", special(b"lib/x", b"2", b"y"), special(b"lib/y", b"2", b"/")),
    through("hard link to the node's key", special(b"lib/x", b"1", b"etc/keys/server")),
    through("zero device", special(b"lib/zero", b"3")),
    through("disk", special(b"lib/disk", b"4")),
    through("fifo", special(b"lib/fifo", b"6")),
    through("socket as others write it", special(b"lib/socket", b"s")),
    through("folder", special(b"lib/tiny-2.0/", b"5"), verdict="harmless"),
    through("folder up and out", special(b"../evil/", b"5"), verdict="harmless"),
    through("absolute folder", special(b"/tmp/hostile-folder/", b"5"), verdict="harmless"),
    through("folder with a content", special(b"lib/x/", b"5", data=b"x" * 600), verdict="harmless"),
    through("folder in the place of a file", special(b"lib/tiny-2.0/app.toml/", b"5"), verdict="harmless"),
    through("folder without rights", special(b"lib/", b"5").with_field("mode", octal(0, 8)), verdict="harmless"),
    changed_members(
        "10,000 folders",
        lambda members: [*members[:-1], *(special(b"lib/%d/" % n, b"5") for n in range(10_000)), members[-1]],
        verdict="harmless",
    ),
]


def old_sparse(entries: list[tuple[int, int]], real_size: int, data: bytes, extended: int = 0) -> Member:
    """A sparse file of GNU's old format; `extended` blocks of further entries follow."""
    packed = b"".join(octal(offset, 12) + octal(size, 12) for offset, size in entries[:4]).ljust(96, b"\0")
    tail = packed + (b"\1" if extended else b"\0") + octal(real_size, 12)
    raw = special(b"lib/tiny-2.0/sparse", b"S").containing(data).header
    header = sealed(raw[:257] + b"ustar  \0" + raw[265:386] + tail + bytes(512 - 386 - len(tail)))
    block = (octal(0, 12) + octal(1, 12)) * 21 + b"\1" + bytes(7)
    return Member(header, block * extended + data)


def pax_sparse(label: str, records: dict[str, str], data: bytes) -> HostileTarball:
    """A sparse file of one of the PAX formats."""
    pairs = [pax_record(key.encode(), value.encode()) for key, value in records.items()]
    return added(
        f"sparse: {label}",
        special(b"PaxHeaders/sparse", b"x", data=b"".join(pairs)),
        special(b"lib/tiny-2.0/sparse", b"0", data=data),
    )


SPARSE = [
    added("sparse: old", old_sparse([(0, 3)], 3, b"abc")),
    added("sparse: old, 4 GiB of holes", old_sparse([(4 << 30, 1)], (4 << 30) + 1, b"x")),
    added("sparse: old, no entries", old_sparse([], 1 << 33, b"")),
    added("sparse: old, overlapping", old_sparse([(0, 3), (1, 3), (2, 3)], 5, b"abcabcabc")),
    added("sparse: old, larger than it says", old_sparse([(0, 10_000)], 3, b"abc")),
    added("sparse: old, 200 blocks of entries", old_sparse([(0, 1)] * 4, 1, b"x", extended=200)),
    pax_sparse("PAX 0.0", {"GNU.sparse.size": "3", "GNU.sparse.numblocks": "1"}, b"abc"),
    pax_sparse("PAX 0.1", {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,3"}, b"abc"),
    pax_sparse("PAX 0.1, 9,999 holes", {"GNU.sparse.size": "9", "GNU.sparse.map": ",".join(["1,0"] * 9999)}, b""),
    pax_sparse("PAX 0.1, odd map", {"GNU.sparse.size": "3", "GNU.sparse.map": "0,1,2"}, b"abc"),
    pax_sparse("PAX 0.1, letters", {"GNU.sparse.size": "3", "GNU.sparse.map": "a,b"}, b"abc"),
    pax_sparse("PAX 1.0", {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"}, b"1\n0\n3\nabc"),
    pax_sparse("PAX 1.0, without a map", {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, b"x" * 512),
    pax_sparse("PAX 1.0, 10 to the 18 entries", {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, b"1" + b"0" * 18),
    pax_sparse("PAX 1.0, 2 to the 60 bytes", {"GNU.sparse.realsize": str(1 << 60), "GNU.sparse.major": "1"}, b"x"),
    pax_sparse("PAX, name elsewhere", {"GNU.sparse.name": "../evil", "GNU.sparse.size": "1"}, b"x"),
]
ALL = all_of(INSTEAD, EXTRA, SPARSE)

"""Tarballs with a wrong field in the header of their last member or of their manifest."""

from __future__ import annotations

from collections.abc import Callable

from .hostile_tarball import HostileTarball, Verdict, all_of, changed_last, changed_members
from .raw_tar import Member, base_256, octal


def field(name: str, value: bytes, label: str, verdict: Verdict = "corrupt") -> HostileTarball:
    """The last member has this value in a field, and a right checksum."""
    return changed_last(f"{name}: {label}", lambda member: member.with_field(name, value), verdict)


def size(label: str, value: Callable[[int], bytes], verdict: Verdict = "corrupt") -> HostileTarball:
    """The last member has this size in its header, and its content unchanged."""
    return changed_last(f"size: {label}", lambda member: member.with_field("size", value(len(member.data))), verdict)


def of_manifest(label: str, change: Callable[[Member], Member]) -> HostileTarball:
    """The manifest's own header is changed."""
    return changed_members(f"manifest's header: {label}", lambda members: [change(members[0]), *members[1:]])


CHECKSUMS = [
    field("checksum", value, label)
    for label, value in {
        "zero": b"000000\0 ",
        "blank": b"        ",
        "NULs": b"",
        "letters": b"abcdefgh",
        "one": b"000001\0 ",
        "negative": b"-00001\0 ",
        "base-256": base_256(5000, 8),
    }.items()
]
MAGICS = [
    field("magic", b"ustar ", "GNU's", "harmless"),
    field("magic", b"", "none, as before POSIX", "harmless"),
    field("magic", b"Ustar\0", "capital letter"),
    field("magic", b"\xff" * 6, "bytes of ones"),
    field("version", b"01", "01", "harmless"),
    field("version", b"\xff\xff", "bytes of ones", "harmless"),
]
SIZES = [
    size("one less", lambda n: octal(n - 1, 12)),
    size("one more", lambda n: octal(n + 1, 12)),
    size("none", lambda n: octal(0, 12)),
    size("one block more", lambda n: octal(n + 512, 12)),
    size("all digits seven", lambda n: b"7" * 11),
    size("twelve digits without an end", lambda n: b"7" * 12),
    size("negative octal", lambda n: b"-0000000001"),
    size("base-256 of the same number", lambda n: base_256(n, 12), "harmless"),
    size("base-256, negative", lambda n: base_256(-n, 12)),
    size("base-256, minus one", lambda n: base_256(-1, 12)),
    size("base-256, 2 to the 64", lambda n: base_256(1 << 64, 12)),
    size("base-256, all ones", lambda n: b"\xff" * 12),
    size("base-256 with a bit besides", lambda n: b"\xc0" + base_256(n, 12)[1:]),
    size("letters", lambda n: b"eleven"),
    size("hexadecimal", lambda n: b"0x10"),
    size("octal as Python writes it", lambda n: b"0o%o" % n, "harmless"),
    size("underscore between digits", lambda n: b"0_%o" % n, "harmless"),
    size("plus sign", lambda n: b"+%o" % n, "harmless"),
    size("digit nine", lambda n: b"%o9" % n),
    size("Arabic digits", lambda n: "٣٤٥".encode()),
    size("blank", lambda n: b" " * 12),
    size("empty", lambda n: b""),
    size("leading blanks", lambda n: b"%11o " % n, "harmless"),
    size("NUL between digits", lambda n: b"1\0007"),
]
MODES = [
    field("mode", value, label, "harmless")
    for label, value in {
        "setuid": octal(0o4755, 8),
        "setgid": octal(0o2755, 8),
        "sticky, for all": octal(0o1777, 8),
        "all digits seven": b"7" * 7,
        "no rights": octal(0, 8),
        "letters": b"rwxr-xr",
        "negative": b"-000644",
        "base-256": base_256(0o644, 8),
    }.items()
]
OWNERS = [
    field(name, value, label, "harmless")
    for name in ("uid", "gid", "mtime")
    for label, value in {
        "letters": b"root",
        "negative": b"-000001",
        "all digits seven": b"7" * 7,
        "base-256, all ones": b"\xff" * 8,
    }.items()
]
TEXTS = [
    field("linkname", b"/etc/passwd", "of a plain file", "harmless"),
    field("linkname", b"\xff" * 100, "of a plain file, bytes of ones", "harmless"),
    field("uname", b"\xff" * 32, "bytes of ones", "harmless"),
    field("gname", b"root\x1b[31m", "control characters", "harmless"),
    field("devmajor", b"abcdefgh", "of a plain file, letters", "harmless"),
    field("devminor", base_256(-1, 8), "of a plain file, negative", "harmless"),
    field("unused", b"\xff" * 12, "bytes of ones", "harmless"),
    field("prefix", b"evil", "another folder"),
    field("prefix", b"..", "up"),
    field("prefix", b"/", "root"),
    field("prefix", b"\xff" * 155, "bytes of ones"),
]
TYPES = [
    field("typeflag", b"\0", "NUL, as before POSIX", "harmless"),
    *(
        field("typeflag", flag, label)
        for label, flag in {
            "hard link": b"1",
            "symbolic link": b"2",
            "character device": b"3",
            "block device": b"4",
            "folder": b"5",
            "fifo": b"6",
            "contiguous file": b"7",
            "reserved 8": b"8",
            "reserved 9": b"9",
            "PAX header": b"x",
            "PAX global header": b"g",
            "Solaris header": b"X",
            "GNU dump of a folder": b"D",
            "GNU long link": b"K",
            "GNU long name": b"L",
            "GNU continued file": b"M",
            "GNU old long name": b"N",
            "GNU sparse": b"S",
            "GNU volume": b"V",
            "Solaris access list": b"A",
            "Solaris attributes": b"E",
            "inode": b"I",
            "small letter z": b"z",
            "blank": b" ",
            "byte of ones": b"\xff",
        }.items()
    ),
]
MANIFESTS = [
    of_manifest("no checksum", lambda member: member.with_field("checksum", b"")),
    of_manifest("symbolic link", lambda member: member.with_field("typeflag", b"2").with_field("linkname", b"/etc")),
    of_manifest("folder", lambda member: member.with_field("typeflag", b"5")),
    of_manifest("size none", lambda member: member.with_field("size", octal(0, 12))),
    of_manifest("size two less", lambda member: member.with_field("size", octal(len(member.data) - 2, 12))),
    of_manifest("size one more", lambda member: member.with_field("size", octal(len(member.data) + 1, 12))),
    of_manifest("size negative", lambda member: member.with_field("size", base_256(-512, 12))),
    of_manifest("size 8 GiB", lambda member: member.with_field("size", b"7" * 11)),
    of_manifest("size 2 to the 64", lambda member: member.with_field("size", base_256(1 << 64, 12))),
    of_manifest("name of another version", lambda member: member.named(b"releases/1.0/manifest.json")),
    of_manifest("name without folder", lambda member: member.named(b"manifest.json")),
    of_manifest("name with a dot", lambda member: member.named(b"./" + member.field("name").rstrip(b"\0"))),
    of_manifest("prefix", lambda member: member.with_field("prefix", b"lib")),
]
ALL = all_of(CHECKSUMS, MAGICS, SIZES, MODES, OWNERS, TEXTS, TYPES, MANIFESTS)

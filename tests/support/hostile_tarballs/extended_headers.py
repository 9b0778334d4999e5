"""Tarballs with extended headers: PAX records and GNU's long names, which can override what a header says."""

from __future__ import annotations

from .hostile_tarball import HostileTarball, Verdict, all_of, changed_members
from .links_and_devices import special
from .raw_tar import Member, octal, pax_record


def before_last(label: str, *extra: Member, verdict: Verdict = "corrupt") -> HostileTarball:
    """These members come before the last file, so that they apply to it."""
    return changed_members(label, lambda members: [*members[:-1], *extra, members[-1]], verdict)


def before_manifest(label: str, *extra: Member, verdict: Verdict = "corrupt") -> HostileTarball:
    """These members come before the manifest."""
    return changed_members(label, lambda members: [*extra, *members], verdict)


def pax(records: bytes, flag: bytes = b"x") -> Member:
    """A PAX header with these bytes as its records."""
    return special(b"PaxHeaders/0", flag, data=records)


def record(key: str, value: str | bytes) -> bytes:
    """One record."""
    return pax_record(key.encode(), value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))


OVERRIDES = [
    before_last(f"PAX: {label}", pax(record(key, value)))
    for label, key, value in (
        ("path up and out", "path", "../../evil"),
        ("absolute path", "path", "/tmp/evil"),
        ("path into etc", "path", "etc/cookies/operator"),
        ("path of another member", "path", "bin/tiny"),
        ("empty path", "path", ""),
        ("path with a NUL", "path", "lib/a\0/evil"),
        ("path that is not UTF-8", "path", b"lib/\xff\xfe"),
        ("path of 100,000 bytes", "path", "a/" * 50_000),
        ("size none", "size", "0"),
        ("size one", "size", "1"),
        ("size 8 GiB", "size", str(8 << 30)),
        ("size 2 to the 80", "size", str(1 << 80)),
        ("size negative", "size", "-1"),
        ("size negative, large", "size", "-5120"),
        ("size with a fraction", "size", "1.5"),
        ("size in letters", "size", "many"),
        ("size of 5,000 digits", "size", "9" * 5000),
    )
]
RECORDS = [
    before_last(f"PAX: {label}", pax(record(key, value)), verdict="harmless")
    for label, key, value in (
        ("time not a number", "mtime", "nan"),
        ("time infinite", "mtime", "inf"),
        ("time of 5,000 digits", "mtime", "9" * 5000),
        ("time in letters", "atime", "noon"),
        ("owner", "uname", "root\x1b[31m"),
        ("owner number", "uid", "-1"),
        ("owner number of 5,000 digits", "gid", "1" * 5000),
        ("link of a plain file", "linkpath", "/etc/passwd"),
        ("comment", "comment", "x" * 100),
        ("comment of 1 MB", "comment", "x" * 1_000_000),
        ("unknown key", "VENDOR.evil", "x"),
        ("empty key", "", "x"),
        ("binary names", "hdrcharset", "BINARY"),
        ("unknown names", "hdrcharset", "EBCDIC"),
        ("capability", "SCHILY.xattr.security.capability", b"\x01\x00\x00\x02\xff\xff\xff\xff"),
        ("access list", "SCHILY.acl.access", "user::rwx,other::rwx"),
    )
]
LENGTHS = [
    before_last("PAX length: leading zeros", pax(b"0000000000014 path=evil\n")),
    *(
        before_last(f"PAX length: {label}", pax(records), verdict="harmless")
        for label, records in {
            "zero": b"0 path=evil\n",
            "one": b"1 path=evil\n",
            "too short": b"9 path=evil\n",
            "too long": b"999 path=evil\n",
            "2 to the 64": b"18446744073709551616 path=evil\n",
            "4,999 digits": b"9" * 4999 + b" path=evil\n",
            "negative": b"-13 path=evil\n",
            "letters": b"xx path=evil\n",
            "none": b"path=evil\n",
            "without newline": b"12 path=evil",
            "without equals sign": b"13 path evil\n",
            "two blanks": b"14  path=evil\n",
            "only newlines": b"\n" * 600,
            "only NULs": bytes(600),
            "bytes of ones": b"\xff" * 600,
            "record and garbage": record("comment", "x") + b"garbage",
        }.items()
    ),
]
"""A reader may skip a record that it can't read: then the member that follows is as its own header says."""
BOMBS = [
    before_last("PAX bomb: value of 9 MB", pax(record("comment", "x" * 9_000_000)), verdict="harmless"),
    before_last("PAX bomb: 20,000 records", pax(record("comment", "x") * 20_000), verdict="harmless"),
    before_last(
        "PAX bomb: 20,000 keys", pax(b"".join(record(f"k{n}", "x") for n in range(20_000))), verdict="harmless"
    ),
    before_last("PAX bomb: digits without an end", pax(b"1" * 300_000), verdict="harmless"),
    before_last("PAX bomb: 2,000 headers in a row", *[pax(record("comment", "x"))] * 2000, verdict="harmless"),
    before_last("PAX bomb: 2,000 global headers", *[pax(record("comment", "x"), b"g")] * 2000, verdict="harmless"),
    before_last("PAX bomb: size of 8 GiB", pax(b"").with_field("typeflag", b"x").with_field("size", b"7" * 11)),
    before_last("PAX bomb: no records", pax(b""), verdict="harmless"),
]
PLACES = [
    before_manifest("PAX global: path for all", pax(record("path", "lib/evil"), b"g")),
    before_manifest("PAX global: size for all", pax(record("size", "0"), b"g")),
    before_manifest("PAX global: names elsewhere", pax(record("GNU.sparse.name", "../evil"), b"g"), verdict="harmless"),
    before_last("PAX global: path", pax(record("path", "../evil"), b"g")),
    before_last("PAX global: size", pax(record("size", "1"), b"g")),
    before_manifest("PAX: other path for the manifest", pax(record("path", "lib/evil"))),
    before_manifest("PAX: manifest's size", pax(record("size", "2"))),
    before_manifest("PAX: a header before the manifest", pax(record("comment", "x")), verdict="harmless"),
    changed_members("PAX: header without a member", lambda members: [*members, pax(record("path", "x"))]),
    changed_members(
        "PAX: manifest's path for another file",
        lambda members: [pax(record("path", "releases/2.0/manifest.json")), members[1], *members],
    ),
]


def long_name(name: bytes, flag: bytes = b"L") -> Member:
    """GNU's long name for the next member."""
    return special(b"././@LongLink", flag, data=name + b"\0")


GNU = [
    before_last("GNU long name: up and out", long_name(b"../../evil")),
    before_last("GNU long name: absolute", long_name(b"/tmp/evil")),
    before_last("GNU long name: another member's", long_name(b"bin/tiny")),
    before_last("GNU long name: empty", long_name(b"")),
    before_last("GNU long name: not UTF-8", long_name(b"\xff\xfe")),
    before_last("GNU long name: 1 MB", long_name(b"a/" * 500_000)),
    before_last("GNU long name: 8 GiB", long_name(b"x").with_field("size", b"7" * 11)),
    before_last("GNU long name: size none", long_name(b"x").with_field("size", octal(0, 12))),
    before_last("GNU long name: 1,000 in a row", *[long_name(b"lib/evil")] * 1000),
    before_last("GNU long link of a plain file", long_name(b"/etc/passwd", b"K"), verdict="harmless"),
    before_manifest("GNU long name: for the manifest", long_name(b"lib/evil")),
    changed_members("GNU long name: without a member", lambda members: [*members, long_name(b"lib/evil")]),
    before_last("GNU long name and PAX path", long_name(b"lib/evil"), pax(record("path", "../evil"))),
]
ALL = all_of(OVERRIDES, RECORDS, LENGTHS, BOMBS, PLACES, GNU)

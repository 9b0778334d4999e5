"""Tarballs that agree with their manifest, with values at a limit or with two readings in a TOML or JSON file."""

from __future__ import annotations

import json

from .good_release import GoodRelease
from .hostile_tarball import HostileTarball, all_of, changed_release
from .manifests import text
from .toml_files import before, instead, replaced


def nested(depth: int) -> bytes:
    return b"\n[tiny]\nx = " + b"[" * depth + b"]" * depth + b"\n"


SYS = [
    replaced("nested 48 deep", "sys.toml", lambda data: nested(48), "harmless"),
    replaced("nested 60 deep", "sys.toml", lambda data: nested(60)),
    replaced("greatest integer", "sys.toml", lambda data: b"[tiny]\nx = 9223372036854775807\n", "harmless"),
    replaced("greatest integer and one", "sys.toml", lambda data: b"[tiny]\nx = 9223372036854775808\n"),
    replaced("least integer", "sys.toml", lambda data: b"[tiny]\nx = -9223372036854775808\n"),
    replaced("least fraction", "sys.toml", lambda data: b"[tiny]\nx = 5e-324\ny = -0.0\n", "harmless"),
    replaced("date with a far offset", "sys.toml", lambda data: b"[tiny]\nx = 0001-01-01T00:00:00+23:59\n", "harmless"),
    replaced("last moment", "sys.toml", lambda data: b"[tiny]\nx = 9999-12-31T23:59:59.999999-23:59\n", "harmless"),
    replaced("offset of 24 hours", "sys.toml", lambda data: b"[tiny]\nx = 2026-01-01T00:00:00+24:00\n"),
    replaced("key that is empty", "sys.toml", lambda data: b'[tiny]\n"" = 1\n', "harmless"),
    replaced("key with a dunder", "sys.toml", lambda data: b'[tiny]\n__class__ = "x"\n', "harmless"),
    replaced("table of the web server", "sys.toml", lambda data: b"[web]\nx = 1\n", "harmless"),
    replaced("table of the runtime", "sys.toml", lambda data: b"[node_runtime]\nx = 1\n", "harmless"),
    replaced("table of no application", "sys.toml", lambda data: b"[other]\nx = 1\n", "harmless"),
]
NODE = [
    replaced("unsigned releases allowed", "node.toml", before(b"allow_unsigned = true")),
    replaced("approvals none", "node.toml", before(b"approvals = 0")),
    replaced("anchor of the audit log", "node.toml", before(b"audit_anchor = '/dev/null'")),
    replaced("heart almost none", "node.toml", before(b"heart = 5e-324")),
    replaced("port above all", "node.toml", before(b"listen = '0.0.0.0:65536'")),
    replaced("Unix socket", "node.toml", before(b"listen = 'ipc:///tmp/evil'")),
    replaced("10,000 workers", "node.toml", lambda data: data + b"\n[web]\nworkers = 10000\n"),
    replaced("workers true", "node.toml", lambda data: data + b"\n[web]\nworkers = true\n"),
    replaced(
        "errors of 63 bits", "node.toml",
        lambda data: data + b"\n[probation]\nerrors = 9223372036854775807\n", "harmless",
    ),
    replaced("deadline 1e-300", "node.toml", lambda data: data + b"\n[probation]\ndeadline = 1e-300\n", "harmless"),
]  # fmt: skip
APP = [
    replaced("depends on itself", "app.toml", before(b'applications = ["tiny"]')),
    replaced("depends on an unknown one", "app.toml", before(b'applications = ["other"]')),
    replaced("depends 20,000 times", "app.toml", before(b"applications = [" + b'"web",' * 20_000 + b"]"), "harmless"),
    replaced("20,000 registered names", "app.toml", before(b"registered = [" + b'"x",' * 20_000 + b"]"), "harmless"),
    replaced("source elsewhere", "app.toml", before(b'source = "../../../etc"'), "harmless"),
    replaced(
        "templates elsewhere", "app.toml",
        lambda data: data + b'\n[templates]\nsource = "/etc"\npackage = "tiny"\n', "harmless",
    ),
    replaced("description with controls", "app.toml", before(b'description = "\\u001b[2J\\u202e"'), "harmless"),
]  # fmt: skip
APPUP = [
    instead("from itself", "appup.toml", b'from = "1.0"', b'from = "2.0"', "harmless"),
    instead("from a range that is empty", "appup.toml", b'from = "1.0"', b'from = ">=2,<1"', "harmless"),
    instead("from a range of many parts", "appup.toml", b'from = "1.0"', b'from = "' + b">=1," * 5000 + b'<9"'),
]


def second_value(good: GoodRelease) -> bytes:
    """The manifest has the entry of a file twice: first a wrong one, then the right one."""
    path = json.dumps(good.source).encode()
    data = json.dumps(good.manifest).encode()
    wrong = b'{"size": 1, "sha256": "' + b"0" * 64 + b'"}'
    return good.tarball(data.replace(b'"files": {', b'"files": {' + path + b": " + wrong + b", ", 1))


JSON = [
    HostileTarball("manifest: entry of a file twice", second_value, "harmless"),
    text("size 1.0", lambda data: data.replace(b'"mode": 420', b'"mode": 420.0', 1)),
    text("size 4.2e2", lambda data: data.replace(b'"mode": 420', b'"mode": 4.2e2', 1)),
    text("lone surrogate", lambda data: data.replace(b'"name": "', b'"name": "\\ud800', 1)),
    text("escaped NUL", lambda data: data.replace(b'"name": "', b'"name": "\\u0000', 1)),
    changed_release("manifest: time of year 10,000", lambda good: good.with_manifest(built=253_402_300_800)),
    changed_release("manifest: time before 1970", lambda good: good.with_manifest(built=-1)),
    changed_release(
        "bill of materials: 100,000 brackets",
        lambda good: good.with_file(f"releases/{good.vsn}/sbom.cdx.json", b"[" * 100_000), "harmless",
    ),
    changed_release(
        "bill of materials: no JSON",
        lambda good: good.with_file(f"releases/{good.vsn}/sbom.cdx.json", b"\x1b[2J\xff"), "harmless",
    ),
]  # fmt: skip
ALL = all_of(SYS, NODE, APP, APPUP, JSON)

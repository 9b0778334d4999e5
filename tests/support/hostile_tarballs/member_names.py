"""Tarballs with hostile names, each once as a member that the manifest lists and once as one that it does not list."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from .good_release import GoodRelease
from .hostile_tarball import HostileTarball, Verdict, all_of, changed_members, changed_release
from .raw_tar import Member, archive, compressed

CONTENT = b"EVIL = 1\n"


def listed(label: str, path: str, verdict: Verdict = "corrupt") -> HostileTarball:
    """The manifest lists a file of this name, below the application's folder where it says {app}."""
    return changed_release(
        f"listed name: {label}", lambda good: good.with_file(path.replace("{app}", good.app), CONTENT), verdict
    )


def unlisted(label: str, name: bytes, verdict: Verdict = "corrupt") -> HostileTarball:
    """The tarball has a member of this name that the manifest doesn't list."""
    return HostileTarball(
        f"unlisted name: {label}",
        lambda good: compressed(archive(with_extra(good, name.replace(b"{app}", good.app.encode())))),
        verdict,
    )


def with_extra(good: GoodRelease, name: bytes) -> list[Member]:
    *members, last = good.members()
    return [*members, good.header.named(name).containing(CONTENT), last]


NAMES = {
    "up and out": "../evil",
    "up and out, deep": "../../../../../../tmp/evil",
    "up inside lib": "lib/../../evil",
    "up inside the application": "{app}/src/../../../etc/node.toml",
    "up at the end": "{app}/..",
    "absolute": "/tmp/evil",
    "two slashes at the start": "//tmp/evil",
    "home": "~/evil",
    "empty": "",
    "dot": ".",
    "two dots": "..",
    "dot at the start": "./{app}/evil.py",
    "dot in the middle": "{app}/./evil.py",
    "empty part": "{app}//evil.py",
    "slash at the end": "{app}/evil.py/",
    "only a slash": "/",
    "backslash": "{app}\\..\\evil.py",
    "backslash at the end": "{app}/evil.py\\",
    "drive": "C:/evil.py",
    "share": "\\\\server\\share\\evil.py",
    "newline": "{app}/a\n.py",
    "carriage return": "{app}/a\r.py",
    "escape sequence": "{app}/\x1b[31mred.py",
    "bell": "{app}/\x07.py",
    "delete": "{app}/\x7f.py",
    "C1 control": "{app}/\x85.py",
    "bidi override": "{app}/\u202eyp.live.py",
    "bidi isolate": "{app}/\u2066a\u2069.py",
    "zero width": "{app}/a\u200b.py",
    "byte order mark": "{app}/\ufeffa.py",
    "line separator": "{app}/a\u2028.py",
    "no-break space": "{app}/a\u00a0.py",
    "not UTF-8": "{app}/\udcff\udcfe.py",
    "overlong UTF-8": "{app}/\udcc0\udcaf.py",
    "part of 300 bytes": "{app}/" + "a" * 300,
    "seventeen folders": "{app}/" + "a/" * 17 + "evil.py",
    "600 bytes": "{app}/" + "/".join(["a" * 100] * 6),
    "etc": "etc/node.toml",
    "cookies": "etc/cookies/operator",
    "keys": "etc/keys/server",
    "release keys": "etc/release-keys/evil.pub",
    "audit log": "var/audit.jsonl",
    "the parent's state": "var/parent.json",
    "staging": "var/staging/upload-x/evil",
    "commit record": "releases/record.json",
    "manifest of another release": "releases/1.0/manifest.json",
    "configuration of another release": "releases/1.0/node.toml",
    "own manifest": "releases/2.0/manifest.json",
    "file in releases": "releases/evil",
    "file in lib": "lib",
    "no known folder": "share/evil",
    "standard module in bin": "bin/json.py",
    "standard module of the launcher": "bin/_launcher/json.py",
    "package in bin": "bin/json/__init__.py",
    "site customization in bin": "bin/sitecustomize.py",
    "bytecode of the launcher": "bin/_launcher/__pycache__/verbs.cpython-311.pyc",
    "second script": "bin/evil",
    "folder under the script": "bin/tiny/evil",
}
"""Names that no release may have, listed or not."""
IN_BIN = {"standard module in bin", "standard module of the launcher", "package in bin", "site customization in bin"}
IN_BIN |= {"bytecode of the launcher", "second script"}
ODD_NAMES = {
    "Windows device": "{app}/src/aux.py",
    "Windows stream": "{app}/src/a.py:evil",
    "dot at the end": "{app}/src/evil.",
    "blank at the end": "{app}/src/evil.py ",
    "leading dash": "{app}/-rf",
    "hidden": "{app}/.evil",
    "question mark and star": "{app}/src/*?.py",
    "capital twin": "{app}/src/tiny/SERVER.py",
    "combining twin": "{app}/src/tiny/" + unicodedata.normalize("NFD", "sérver") + ".py",
    "fullwidth twin": "{app}/src/tiny/\uff53erver.py",
    "path file": "{app}/src/evil.pth",
    "bytecode": "{app}/src/tiny/__pycache__/server.cpython-311.pyc",
    "sourceless bytecode": "{app}/src/tiny/sup.pyc",
    "extension module": "{app}/src/tiny/server.cpython-311-x86_64-linux-gnu.so",
    "site customization": "{app}/src/sitecustomize.py",
}
"""Names that Linux allows, and that are harmless if a manifest lists them and nothing imports them."""
LISTED = [listed(label, path, "invalid" if label in IN_BIN else "corrupt") for label, path in NAMES.items()]
ODD = [listed(label, path, "harmless") for label, path in ODD_NAMES.items()]
UNLISTED = [
    unlisted(label, path.encode("utf-8", "surrogateescape"))
    for label, path in {**NAMES, **ODD_NAMES}.items()
    if len(path) <= 90 and not path.endswith("/") and label != "own manifest"
]


def renamed(members: list[Member], change: Callable[[bytes], bytes]) -> list[Member]:
    """The members with another name of the last one."""
    return [*members[:-1], members[-1].named(change(members[-1].field("name").rstrip(b"\0")))]


CLASHES = [
    listed("file where a folder is", "{app}/src"),
    listed("file where the application is", "{app}"),
    listed("folder where a file is", "{app}/src/tiny/server.py/evil.py"),
    listed("file where the release is", "releases/2.0"),
    unlisted("NUL and more", b"{app}/src/a.py\0/../../evil"),
    unlisted("good name, NUL and more", b"{app}/src/tiny/sup.py\0.evil"),
    changed_members("name of the last member in capitals", lambda parts: renamed(parts, bytes.upper)),
    changed_members("name of the last member with a slash", lambda parts: renamed(parts, lambda name: name + b"/")),
    changed_members("name of the last member with a blank", lambda parts: renamed(parts, lambda name: name + b" ")),
    changed_members("all names empty", lambda parts: [parts[0], *(part.named(b"") for part in parts[1:])]),
    changed_members("all names cut", lambda parts: [parts[0], *(part.named(b"lib") for part in parts[1:])]),
    changed_release(
        "another file of an older release",
        lambda good: good.with_file("lib/tiny-1.0/src/tiny/server.py", CONTENT),
        "invalid",
    ),
    changed_release(
        "more files for an older release", lambda good: good.with_file("lib/tiny-1.0/src/evil.py", CONTENT), "invalid"
    ),
]


ALL = all_of(LISTED, ODD, UNLISTED, CLASHES)

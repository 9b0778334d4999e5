"""Tarballs with a hostile manifest.json: wrong JSON, wrong values, and claims about files, folders and modules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from .good_release import LIBRARY, GoodRelease, digest
from .hostile_tarball import HostileTarball, Verdict, all_of, changed_release


def text(label: str, change: Callable[[bytes], bytes]) -> HostileTarball:
    """The manifest has other bytes."""
    return HostileTarball(f"manifest: {label}", lambda good: good.tarball(change(plain(good))))


def plain(good: GoodRelease) -> bytes:
    return json.dumps(good.manifest).encode()


def value(label: str, verdict: Verdict = "corrupt", **changes: Any) -> HostileTarball:
    """The manifest has other values."""
    return changed_release(f"manifest: {label}", lambda good: good.with_manifest(**changes), verdict)


def release(label: str, change: Callable[[GoodRelease], GoodRelease], verdict: Verdict = "corrupt") -> HostileTarball:
    """The manifest is that of another release."""
    return changed_release(f"manifest: {label}", change, verdict)


JSON = [
    text("empty", lambda data: b""),
    text("null", lambda data: b"null"),
    text("number", lambda data: b"1"),
    text("string", lambda data: b'"manifest"'),
    text("list", lambda data: b"[" + data + b"]"),
    text("empty object", lambda data: b"{}"),
    text("not JSON", lambda data: b"name = 'tiny'"),
    text("cut", lambda data: data[:-1]),
    text("two objects", lambda data: data + data),
    text("bytes after it", lambda data: data + b"evil"),
    text("NUL after it", lambda data: data + b"\0"),
    text("byte order mark", lambda data: b"\xef\xbb\xbf" + data),
    text("UTF-16", lambda data: data.decode().encode("utf-16")),
    text("not UTF-8", lambda data: data.replace(b'"name": "', b'"name": "\xff', 1)),
    text("comment", lambda data: b"/* */" + data),
    text("100,000 brackets", lambda data: b"[" * 100_000 + b"]" * 100_000),
    text("100,000 objects", lambda data: b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    text(
        "nested files", lambda data: data.replace(b'"files": {', b'"files": {"x":' + b"[" * 5000 + b"]" * 5000 + b",")
    ),
    text("size of 5,000 digits", lambda data: data.replace(b'"size": ', b'"size": ' + b"9" * 5000, 1)),
    text("size 1e400", lambda data: replaced_size(data, b"1e400")),
    text("size -1", lambda data: replaced_size(data, b"-1")),
    text("size -0", lambda data: replaced_size(data, b"-0")),
    text("size 2 to the 64", lambda data: replaced_size(data, b"18446744073709551616")),
    text("size NaN", lambda data: replaced_size(data, b"NaN")),
    text("size true", lambda data: replaced_size(data, b"true")),
    text("size in quotes", lambda data: replaced_size(data, b'"1"')),
    text("key twice", lambda data: data.replace(b'{"name"', b'{"vsn": "9.9", "name"', 1)[:-1] + b', "vsn": "9.8"}'),
    text("16 MB of blanks", lambda data: data + b" " * (17 << 20)),
]


def replaced_size(data: bytes, size: bytes) -> bytes:
    """The data with another size of the first file."""
    start = data.index(b'"size": ') + len(b'"size": ')
    end = min(data.index(b",", start), data.index(b"}", start))
    return data[:start] + size + data[end:]


VALUES = [
    value("unknown key", evil=1),
    value("another schema", schema=2),
    value("schema as text", schema="1"),
    value("no name", name=""),
    value("name with a slash", name="../tiny"),
    value("name in capitals", name="Tiny"),
    value("name of 200 letters", name="a" * 200),
    value("name as number", name=1),
    value("name of another node", "invalid", name="shop"),
    value("version empty", vsn=""),
    value("version with a slash", vsn="../2.0"),
    value("version of dots", vsn=".."),
    value("version with a newline", vsn="2.0\n"),
    value("version with a NUL", vsn="2.0\0"),
    value("version of 200 digits", vsn="2" * 200),
    value("version of an unpacked release", vsn="1.0"),
    value("version named like the commit record", vsn="record.json"),
    value("another version than its path", vsn="2.1"),
    value("Python of another time", "invalid", python="2.7"),
    value("Python as number", python=3.11),
    value("Python in 100,000 letters", "invalid", python="3" * 100_000),
    value("Python with control characters", "invalid", python="3.11\x1b[2J\n"),
    value("platform of another system", "invalid", platform="plan9-vax"),
    value("platform with bidi characters", "invalid", platform="\u202elinux"),
    value("platform in 100,000 letters", "invalid", platform="x" * 100_000),
    value("files empty", files={}),
    value("files as list", files=[]),
    value("files none", files=None),
    value("apps as object", apps={}),
    value("path as text", path="lib"),
]


def off_by(good: GoodRelease, difference: int) -> GoodRelease:
    return good.with_entry(good.source, size=len(good.files[good.source]) + difference)


def negative(good: GoodRelease) -> GoodRelease:
    """Sizes whose sum is small, although one file is huge."""
    return good.with_entry(good.source, size=-(1 << 62)).with_entry(f"{good.app}/app.toml", size=1 << 62)


def listing(good: GoodRelease, path: str) -> GoodRelease:
    entry = {"size": 1, "sha256": digest(b"x"), "mode": 0o644}
    return good.with_manifest(files={**good.manifest["files"], path: entry})


def unlisting(good: GoodRelease, path: str) -> GoodRelease:
    return good.with_manifest(files={one: entry for one, entry in good.manifest["files"].items() if one != path})


FILES = [
    release("hash of another content", lambda good: good.with_entry(good.source, sha256=digest(b"other"))),
    release("hash empty", lambda good: good.with_entry(good.source, sha256="")),
    release("hash in capitals", lambda good: good.with_entry(good.source, sha256="A" * 64)),
    release("hash none", lambda good: good.with_entry(good.source, sha256=None)),
    release("hash as number", lambda good: good.with_entry(good.source, sha256=1)),
    release("hash of 100,000 digits", lambda good: good.with_entry(good.source, sha256="0" * 100_000)),
    release("size one less", lambda good: off_by(good, -1)),
    release("size one more", lambda good: off_by(good, 1)),
    release("size none", lambda good: good.with_entry(good.source, size=None)),
    release("size of all files negative", negative),
    release("mode setuid", lambda good: good.with_entry(good.source, mode=0o4755)),
    release("mode for all", lambda good: good.with_entry(good.source, mode=0o777)),
    release("mode none", lambda good: good.with_entry(good.source, mode=0)),
    release("mode as text", lambda good: good.with_entry(good.source, mode="0644")),
    release("unknown key of a file", lambda good: good.with_entry(good.source, owner="root")),
    release("file that is not there", lambda good: listing(good, f"{good.app}/src/evil.py")),
    release("file with a NUL in its name", lambda good: listing(good, f"{good.app}/a\0b")),
    release("own manifest", lambda good: listing(good, good.manifest_path)),
    release("a file less", lambda good: unlisting(good, good.source)),
]


def entry(label: str, path: object, verdict: Verdict = "corrupt") -> HostileTarball:
    """An entry for sys.path."""
    return value(f"sys.path {label}", verdict, path=[path])


PATHS = [
    entry("up and out", "../../tmp"),
    entry("in the application", "lib/tiny-2.0/src"),
    entry("in the application, deep", "lib/tiny-2.0/src/tiny"),
    entry("absolute", "/tmp"),
    entry("empty", ""),
    entry("dot", "."),
    entry("the node's directory", "lib/.."),
    entry("lib", "lib"),
    entry("bin", "bin"),
    entry("var", "var/staging"),
    entry("a file", f"{LIBRARY}/small_library/__init__.py"),
    entry("of another release", "lib/tiny-1.0"),
    entry("that is not there", "lib/other-1.0"),
    entry("up at the end", f"{LIBRARY}/.."),
    entry("slash at the end", f"{LIBRARY}/"),
    entry("as number", 1),
    entry("with a NUL", f"{LIBRARY}\0"),
    value("sys.path of 10,000 equal entries", "harmless", path=[LIBRARY] * 10_000),
    release("library with a standard module", lambda good: library(good, "json.py"), "harmless"),
    release("library with site customization", lambda good: library(good, "sitecustomize.py"), "harmless"),
    release("library with a path file", lambda good: library(good, "evil.pth"), "harmless"),
]


def library(good: GoodRelease, name: str) -> GoodRelease:
    return good.with_file(f"{LIBRARY}/{name}", b"import os; open('/tmp/hostile-import', 'w')\n")


SAFE_NAME: Final = re.compile(r"[\w.]{1,40}", re.ASCII)


def module(label: str, name: str, verdict: Verdict = "invalid", **changes: Any) -> HostileTarball:
    """The application has one more module, in a file of its own that the manifest lists."""

    def change(good: GoodRelease) -> GoodRelease:
        path = f"{good.app}/src/{name.replace('.', '/') if SAFE_NAME.fullmatch(name) else 'hostile_module'}.py"
        listed = {"path": path, "sha256": digest(b"EVIL = 1\n"), **changes}
        return good.with_file(path, b"EVIL = 1\n").with_modules(lambda modules: {**modules, name: listed})

    return changed_release(f"module: {label}", change, verdict)


MODULES = [
    *(
        module(f"named {name}", name)
        for name in (
            "json",
            "os",
            "sys",
            "builtins",
            "site",
            "sitecustomize",
            "encodings.utf_8",
            "importlib",
            "_thread",
        )
    ),
    module("named like the runtime", "node_runtime.supervisor"),
    module("named like the launcher", "_launcher.verbs"),
    module("named __main__", "__main__"),
    module("without a name", ""),
    module("with a slash", "../evil"),
    module("with a blank", "tiny evil"),
    module("with two dots", "tiny..evil"),
    module("with a NUL", "tiny\0evil"),
    module("with a bidi character", "tiny.\u202eevil"),
    module("of 100,000 letters", "a" * 100_000),
    module("in bin", "tiny.evil", "corrupt", path="bin/tiny"),
    module("outside", "tiny.evil", "corrupt", path="../../tmp/evil.py"),
    module("absolute", "tiny.evil", "corrupt", path="/tmp/evil.py"),
    module("of another release", "tiny.evil", "corrupt", path="lib/tiny-1.0/src/tiny/server.py"),
    module("of the library", "tiny.evil", "corrupt", path=f"{LIBRARY}/small_library/__init__.py"),
    module("that is not there", "tiny.evil", path="lib/tiny-2.0/src/not_there.py"),
    module("with another hash", "tiny.evil", sha256="0" * 64),
    module("without a hash", "tiny.evil", "corrupt", sha256=None),
    module("with an unknown key", "tiny.evil", "corrupt", evil=1),
]


def apps(label: str, change: Callable[[dict[str, Any]], list[Any]], verdict: Verdict = "invalid") -> HostileTarball:
    """The manifest lists other applications."""
    return release(
        f"applications: {label}", lambda good: good.with_manifest(apps=change(dict(good.manifest["apps"][0]))), verdict
    )


APPS = [
    apps("twice", lambda app: [app, app]),
    apps("in a folder that is not there", lambda app: [{**app, "vsn": "7.7", "modules": {}}]),
    apps("name with a slash", lambda app: [{**app, "name": "../tiny"}], "corrupt"),
    apps("version with a slash", lambda app: [{**app, "vsn": "../2.0"}], "corrupt"),
    apps("named like a built-in one", lambda app: [app, {"name": "web", "vsn": "1", "modules": {}}]),
    apps("as text", lambda app: ["tiny"], "corrupt"),
    apps("unknown key", lambda app: [{**app, "evil": 1}], "corrupt"),
    apps("a module of another application", lambda app: [{**app, "name": "other"}], "corrupt"),
    apps("none", lambda app: [], "harmless"),
    release("application without app.toml", lambda good: good.without_file(f"{good.app}/app.toml"), "invalid"),
    release("release without release.toml", lambda good: good.without_file("releases/2.0/release.toml"), "invalid"),
    release("release without node.toml", lambda good: good.without_file("releases/2.0/node.toml"), "invalid"),
    release("release without sys.toml", lambda good: good.without_file("releases/2.0/sys.toml"), "harmless"),
    release("release without a script", lambda good: good.without_file("bin/tiny"), "harmless"),
    release("script of another content", lambda good: good.with_file("bin/tiny", b"#!/bin/sh\n", 0o755), "harmless"),
    release(
        "launcher of another content",
        lambda good: good.with_file("bin/_launcher/verbs.py", b"import os\n"),
        "harmless",
    ),
]
ALL = all_of(JSON, VALUES, FILES, PATHS, MODULES, APPS)

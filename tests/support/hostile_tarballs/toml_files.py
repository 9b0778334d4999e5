"""Tarballs that agree with their manifest, but have a hostile TOML file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .good_release import GoodRelease
from .hostile_tarball import HostileTarball, Verdict, all_of, changed_release

NAMES: Final = ("release.toml", "node.toml", "sys.toml", "app.toml", "appup.toml")
"""The TOML files of a release."""


def replaced(label: str, name: str, data: Callable[[bytes], bytes], verdict: Verdict = "invalid") -> HostileTarball:
    """The tarball with another content of one TOML file."""

    def change(good: GoodRelease) -> GoodRelease:
        path = good.toml_files[name]
        return good.with_file(path, data(good.files[path]))

    return changed_release(f"{name}: {label}", change, verdict)


def before(text: bytes) -> Callable[[bytes], bytes]:
    """The text as the first lines, so that it belongs to no table."""
    return lambda data: text + b"\n" + data


HAZARDS: Final = {
    "integer of 5,000 digits": before(b"x = " + b"9" * 5000),
    "hexadecimal integer of 100,000 digits": before(b"x = 0x" + b"f" * 100_000),
    "3,000 brackets": before(b"x = " + b"[" * 3000 + b"]" * 3000),
    "100,000 brackets": before(b"x = " + b"[" * 100_000),
    "3,000 inline tables": before(b"x = " + b"{a=" * 3000 + b"1" + b"}" * 3000),
    "key of 3,000 parts": before(b"a." * 3000 + b"a = 1"),
    "table of 3,000 parts": lambda data: data + b"\n[" + b"a." * 3000 + b"a]\n",
    "not UTF-8": before(b"x = '\xff\xfe'"),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "NUL": before(b"x = '\0'"),
    "byte order mark": before(b"\xef\xbb\xbf"),
    "lone surrogate": before(b'x = "\\ud800"'),
    "control characters": before(b"x = '\x1b[2J'"),
    "key twice": before(b"x = 1\nx = 2"),
    "without an end": before(b'x = """'),
    "date of year 0": before(b"x = 0000-00-00"),
    "a cookie": before(b"cookie = 'secret'"),
    "binary": lambda data: bytes(range(256)) * 8,
}
"""What is refused in each of the files."""
HAZARD_CASES = [replaced(label, name, data) for name in NAMES for label, data in HAZARDS.items()]
UNKNOWN = [
    replaced(label, name, before(line))
    for name in ("release.toml", "node.toml", "app.toml", "appup.toml")
    for label, line in {
        "unknown key": b"evil = 1",
        "unknown key with escape sequences": b'"\\u001b[2J\\u202e" = 1',
        "unknown key of 100,000 letters": b"a" * 100_000 + b" = 1",
    }.items()
]
EMPTY = [replaced("empty", name, lambda data: b"") for name in ("release.toml", "node.toml", "app.toml", "appup.toml")]


def instead(label: str, name: str, old: bytes, new: bytes, verdict: Verdict = "invalid") -> HostileTarball:
    """One text of the file replaced by another one."""

    def change(data: bytes) -> bytes:
        assert old in data, (name, old, data)
        return data.replace(old, new)

    return replaced(label, name, change, verdict)


VALUES = [
    instead("version as date", "release.toml", b'vsn = "2.0"', b"vsn = 1979-05-27"),
    instead("version as number", "release.toml", b'vsn = "2.0"', b"vsn = 2.0"),
    instead("version of 100,000 letters", "release.toml", b'vsn = "2.0"', b'vsn = "' + b"2" * 100_000 + b'"'),
    instead("applications as text", "release.toml", b'apps = ["tiny"]', b'apps = "tiny"'),
    instead("application twice", "release.toml", b'apps = ["tiny"]', b'apps = ["tiny", "tiny"]'),
    instead("100,000 applications", "release.toml", b'apps = ["tiny"]', b"apps = [" + b'"tiny",' * 100_000 + b"]"),
    instead("version with a slash", "app.toml", b'vsn = "2.0"', b'vsn = "../2.0"'),
    instead("name with a slash", "app.toml", b'name = "tiny"', b'name = "../tiny"'),
    instead("callback that is no name", "app.toml", b'"tiny.app:TinyApp"', b"\"__import__('os'):x\""),
    instead("environment as list", "app.toml", b"[env]", b"[[env]]"),
    instead("of another release", "release.toml", b'name = "tiny"', b'name = "other"'),
    instead("of another version", "release.toml", b'vsn = "2.0"', b'vsn = "2.1"'),
    instead("of other applications", "release.toml", b'apps = ["tiny"]', b'apps = ["other"]'),
    instead("of another application", "app.toml", b'name = "tiny"', b'name = "other"'),
    instead("of another version", "app.toml", b'vsn = "2.0"', b'vsn = "2.1"'),
    instead("of another version", "appup.toml", b'vsn = "2.0"', b'vsn = "2.1"'),
    instead("node's name with a slash", "node.toml", b"tiny@127.0.0.1", b"../tiny@x"),
    instead("node's name with a newline", "node.toml", b"tiny@127.0.0.1", b"tiny@x\\n"),
    replaced("heart infinite", "node.toml", lambda data: b"heart = inf\n" + data),
    replaced("heart not a number", "node.toml", lambda data: b"heart = nan\n" + data),
    replaced("heart minus infinite", "node.toml", lambda data: b"heart = -inf\n" + data),
    replaced("heart of 309 digits", "node.toml", lambda data: b"heart = 1" + b"0" * 309 + b"\n" + data),
    replaced("rehearsal 1e400", "node.toml", lambda data: b"rehearsal = 1e400\n" + data),
    replaced("deadline negative", "node.toml", lambda data: data + b"\n[probation]\ndeadline = -1\n"),
    replaced("restarts of 400 digits", "node.toml", lambda data: data + b"\n[probation]\nrestarts = " + b"9" * 400),
    replaced("listen without a port", "node.toml", lambda data: b"listen = '0.0.0.0'\n" + data),
    replaced("log in another format", "node.toml", lambda data: b"log = 'evil'\n" + data),
    replaced("parameter as text", "sys.toml", lambda data: b"tiny = 'x'\n"),
    replaced("table that is no application's name", "sys.toml", lambda data: b"['../tiny']\nx = 1\n"),
    replaced("dates", "sys.toml", lambda data: data + b"\nx = 1979-05-27T07:32:00Z\ny = 07:32:00\n", "harmless"),
    replaced(
        "infinite and not a number", "sys.toml", lambda data: data + b"\nx = inf\ny = nan\nz = -nan\n", "harmless"
    ),
    replaced("text of 2 MB", "sys.toml", lambda data: data + b"\nx = '" + b"x" * (2 << 20) + b"'\n", "harmless"),
    replaced("20,000 keys", "sys.toml", lambda data: data + many_lines(20_000), "harmless"),
    replaced("20,000 tables", "sys.toml", lambda data: data + many_tables(20_000), "harmless"),
    replaced("2,000 dotted keys", "sys.toml", lambda data: data + dotted_lines(2000), "harmless"),
    replaced("2 MB of comments", "app.toml", lambda data: b"# x\n" * (1 << 19) + data, "harmless"),
]


def many_lines(number: int) -> bytes:
    return b"\n" + b"".join(b"k%d = 1\n" % index for index in range(number))


def many_tables(number: int) -> bytes:
    return b"\n" + b"".join(b"[tiny.t%d]\n" % index for index in range(number))


def dotted_lines(number: int) -> bytes:
    """Lines with keys of many parts, each of which walks down from the top."""
    return b"\n" + b"".join(b"a." * 40 + b"k%d = 1\n" % index for index in range(number))


def appup(label: str, old_vsn: bytes, verdict: Verdict = "invalid") -> HostileTarball:
    """The appup's entry of an upgrade is for another version, or for a pattern."""
    return instead(f"from {label}", "appup.toml", b'from = "1.0"', b"from = " + old_vsn, verdict)


PATTERNS = [
    appup("a regex", b"{ regex = '1[.]0' }"),
    appup("catastrophic regex", b"{ regex = '(a+)+$' }"),
    appup("catastrophic regex for a version", b"{ regex = '(([0-9.]+)+)+x' }"),
    appup("regex with a huge repeat", b"{ regex = 'a{1,100000000}' }"),
    appup("regex with nested repeats", b"{ regex = '(((a{1,60000}){1,60000}){1,60000})' }"),
    appup("regex with 3,000 groups", b"{ regex = '" + b"(" * 3000 + b")" * 3000 + b"' }"),
    appup("regex of 1 MB", b"{ regex = '" + b"a|" * 500_000 + b"b' }"),
    appup("regex that is none", b"{ regex = '(' }"),
    appup("look-behind", b"{ regex = '(?<=a+)b' }"),
    appup("back reference", b"{ regex = '(.*)\\\\1\\\\1x' }"),
    appup("a number", b"1"),
    appup("a date", b"1979-05-27"),
    appup("5,000 stars", b'"' + b"*" * 5000 + b'"'),
    appup("stars and letters", b'"' + b"*a" * 5000 + b'"'),
    appup("a version with a newline", b'"1.0\\n"'),
]


def instruction(label: str, text: bytes, verdict: Verdict = "invalid") -> HostileTarball:
    """The appup has another instruction."""
    return instead(label, "appup.toml", b'{ load_module = "tiny.hello_page" }', text, verdict)


INSTRUCTIONS = [
    instruction("unknown instruction", b'{ evil = "tiny" }'),
    instruction("two instructions in one", b'{ load_module = "tiny.hello_page", add_module = "x" }'),
    instruction("instruction as text", b'"load_module"'),
    instruction("module that is no name", b'{ load_module = "../../evil" }', "harmless"),
    instruction("code in the place of a function", b"{ apply = \"__import__('os').system('x')\" }"),
    instruction("timeout not a number", b'{ update = "tiny.server", change = "advanced", timeout = nan }'),
    instruction("timeout infinite", b'{ update = "tiny.server", change = "advanced", timeout = inf }', "harmless"),
    instruction("timeout negative", b'{ update = "tiny.server", change = "advanced", timeout = -1 }'),
    instruction("module of another application", b'{ load_module = "os" }', "harmless"),
    instruction("function of the standard library", b'{ apply = "os:abort" }', "harmless"),
    instruction("10,000 instructions", b'{ load_module = "tiny.hello_page" },' * 10_000, "harmless"),
]
ALL = all_of(HAZARD_CASES, UNKNOWN, EMPTY, VALUES, PATTERNS, INSTRUCTIONS)

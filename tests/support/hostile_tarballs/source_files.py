"""Tarballs that agree with their manifest, but have hostile Python sources, templates or bytecode.

Staging executes and compiles nothing, so they are harmless until an operator installs the release.
"""

from __future__ import annotations

import importlib.util
import marshal
from typing import Final

from .good_release import GoodRelease
from .hostile_tarball import HostileTarball, all_of, changed_release

MARK: Final = "/tmp/hostile-tarball-was-executed"
"""The file that executed code would write."""
WRITES_MARK: Final = f"open({MARK!r}, 'w').close()\n".encode()
SOURCES: Final = {
    "writes a file": WRITES_MARK,
    "NUL bytes": b"x = 1\0\n",
    "only NUL bytes": bytes(1000),
    "syntax error": b"def :\n",
    "not UTF-8": b"x = '\xff'\n",
    "unknown encoding": b"# coding: evil\nx = 1\n",
    "encoding UTF-7": b"# coding: utf-7\n+AG8-pen('x')\n",
    "encoding that unpacks": b"# coding: zlib\nx = 1\n",
    "encoding rot13": b"# coding: rot13\nvzcbeg bf\n",
    "unicode escapes": b"# coding: raw_unicode_escape\n#\\u000aimport os\n",
    "two encodings": b"\xef\xbb\xbf# coding: latin-1\nx = 1\n",
    "carriage return hides a line": b"#\rimport os\n",
    "form feed": b"\x0cimport os\n",
    "bidi override": "x = '\u202e' # '\n".encode(),
    "5,000 brackets": b"x = " + b"(" * 5000 + b")" * 5000 + b"\n",
    "5,000 minus signs": b"x = " + b"-" * 5000 + b"1\n",
    "100 blocks": b"".join(b" " * depth + b"if 1:\n" for depth in range(120)),
    "integer of 5,000 digits": b"x = " + b"9" * 5000 + b"\n",
    "constant of 1 GB": b"x = ('x' * 1024) * 1024 * 1024\n",
    "one line of 2 MB": b"x = '" + b"x" * (2 << 20) + b"'\n",
    "100,000 lines": b"x = 1\n" * 100_000,
    "endless at import": b"while True:\n    pass\n",
    "ends the node at import": b"import os\nos._exit(1)\n",
}


def source(label: str, data: bytes) -> HostileTarball:
    """A module has this source."""
    return changed_release(f"source: {label}", lambda good: good.with_file(good.source, data), "harmless")


def bytecode(good: GoodRelease) -> GoodRelease:
    """Bytecode that Python would prefer to the source, because it claims to be of the same time and size."""
    size = len(good.files[good.source]).to_bytes(4, "little")
    code = importlib.util.MAGIC_NUMBER + bytes(8) + size + marshal.dumps(compile(WRITES_MARK, "x", "exec"))
    return good.with_file(f"{good.app}/src/tiny/__pycache__/server.cpython-311.pyc", code)


CASES = [source(label, data) for label, data in SOURCES.items()]
OTHERS = [
    changed_release("source: bytecode beside it", bytecode, "harmless"),
    changed_release(
        "source: path file beside it",
        lambda good: good.with_file(f"{good.app}/src/x.pth", b"import os; " + WRITES_MARK),
        "harmless",
    ),
    changed_release(
        "template: code in it",
        lambda good: good.with_file(f"{good.app}/priv/pages/hello.html", b"{{ ''.__class__.__mro__ }}"),
        "harmless",
    ),
    changed_release(
        "template: 100,000 blocks",
        lambda good: good.with_file(f"{good.app}/priv/pages/hello.html", b"{% if 1 %}" * 100_000),
        "harmless",
    ),
    changed_release(
        "library: site customization",
        lambda good: good.with_file("lib/small_library-1.0/sitecustomize.py", WRITES_MARK),
        "harmless",
    ),
]
ALL = all_of(CASES, OTHERS)

"""The verbs of `node-runtime` that read a tarball: a hostile tarball controls no terminal, and causes no traceback."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.support.hostile_tarballs import GoodRelease, read_good_release
from tests.support.nodes.fil_node import command, environment
from tests.support.nodes.tiny_node import tarballs

__all__ = ["tarballs"]

CONTROL: Final = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"
"""Sets a terminal's title, clears it, reverses the text, and colours it by a C1 character."""
MAX_OUTPUT: Final = 4000
SBOM: Final = "releases/2.0/sbom.cdx.json"


def with_source(good: GoodRelease, data: bytes) -> bytes:
    return good.with_file(good.source, data).tarball()


def with_appup(good: GoodRelease) -> bytes:
    path = good.toml_files["appup.toml"]
    return good.with_file(path, good.files[path] + f"# \x9b31m\u202e{'é'}\n".encode()).tarball()


HOSTILE: Final[dict[str, Callable[[GoodRelease], bytes]]] = {
    "control characters in the bill of materials": lambda good: good.with_file(SBOM, CONTROL.encode()).tarball(),
    "control characters in a key of the manifest": lambda good: good.with_manifest(**{CONTROL: 1}).tarball(),
    "a key of 300,000 letters in the manifest": lambda good: good.with_manifest(**{"x" * 300_000: 1}).tarball(),
    "control characters in a comment of an appup": with_appup,
    "control characters in a source": lambda good: with_source(good, CONTROL.encode()),
    "a source with a syntax error": lambda good: with_source(good, b"x = (\n"),
    "a source of 5,000 brackets": lambda good: with_source(good, b"x = " + b"(" * 5000 + b")" * 5000),
    "a source of 90,000 signs": lambda good: with_source(good, b"x = " + b"-" * 90_000 + b"1"),
    "a source of 700 signs": lambda good: with_source(good, b"x = " + b"-" * 700 + b"1"),
    "a source with a NUL": lambda good: with_source(good, b"x = 1\0"),
    "a source in no encoding": lambda good: with_source(good, b"# coding: rot13\nx = 1"),
    "an integer of 5,000 digits": lambda good: with_source(good, b"x = " + b"9" * 5000),
    "20,000 branches": lambda good: with_source(good, b"if 1: pass\n" + b"elif 1: pass\n" * 20_000),
}
VERBS: Final = {
    "sbom": ("sbom", "NEW"),
    "sign": ("sign", "NEW", "--key", "k.key"),
    "relup": ("relup", "--from", "OLD", "--to", "NEW"),
    "appup check": ("appup", "check", "OLD", "NEW"),
    "appup generate": ("appup", "generate", "--from", "OLD", "--to", "NEW", "--print"),
    "appup generate, back": ("appup", "generate", "--from", "NEW", "--to", "OLD", "--print"),
}
QUICK: Final = (
    ("control characters in the bill of materials", "sbom"),
    ("control characters in a key of the manifest", "sign"),
    ("a key of 300,000 letters in the manifest", "sbom"),
    ("control characters in a comment of an appup", "appup generate"),
    ("control characters in a source", "appup check"),
    ("a source of 90,000 signs", "appup generate, back"),
)
"""The pairs that `make test` tries."""


@pytest.fixture(scope="module")
def home(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an old release and a key."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "tiny-1.0.tar.gz").write_bytes(read_good_release(tarballs["1.0"]).tarball())
    command("node-runtime", "keys", "new", folder / "k", "--no-password", env=environment(folder))
    return folder


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        pair if pair in QUICK else pytest.param(*pair, marks=pytest.mark.slow)
        for pair in itertools.product(HOSTILE, VERBS)
    ],
)
def test_a_hostile_tarball_controls_no_terminal_and_causes_no_traceback(
    kind: str, verb: str, home: Path, tarballs: dict[str, Path]
) -> None:
    new = home / "tiny-2.0.tar.gz"
    new.write_bytes(HOSTILE[kind](read_good_release(tarballs["2.0"])))
    places = {"OLD": home / "tiny-1.0.tar.gz", "NEW": new, "k.key": home / "k.key"}
    done = command("node-runtime", *(places.get(word, word) for word in VERBS[verb]), env=environment(home), code=None)
    shown = done.stdout + done.stderr
    assert [c for c in shown if not c.isprintable() and c not in "\n\t"] == []
    assert "Traceback" not in shown
    assert done.returncode in (0, 1)
    assert verb == "sbom" or len(shown) < MAX_OUTPUT


def test_a_bill_of_materials_with_escaped_characters_means_the_same(home: Path, tarballs: dict[str, Path]) -> None:
    document = {"name": f"tiny {CONTROL} é \U0001f40d"}
    new = home / "tiny-2.0.tar.gz"
    data = json.dumps(document, ensure_ascii=False).replace("\\u001b", "\\u001B").encode()
    new.write_bytes(read_good_release(tarballs["2.0"]).with_file(SBOM, data).tarball())
    assert json.loads(command("node-runtime", "sbom", new, env=environment(home)).stdout) == document

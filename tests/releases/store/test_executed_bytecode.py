"""A process of a release executes the bytecode that was made when the release was unpacked, but none that differs."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node_runtime.code.bytecode import BYTECODE_NAME, compiled, joined
from tests.support.nodes.built_once import own_file
from tests.support.nodes.release_process import EVIL, inside, library_file, printed
from tests.support.nodes.tiny_node import TinyNode, node, tarballs

__all__ = ["node", "tarballs"]

COUNT = """
import builtins, sys
sys.path.remove(".")  # timeit has inserted it
compiled, compile_ = [], builtins.compile
builtins.compile = lambda *given, **options: (compiled.append(given[1]), compile_(*given, **options))[1]
"""
IMPORT = f"""{COUNT}
import h11._version
print(h11._version.__version__[:2], any(file.endswith("h11/_version.py") for file in compiled))
"""


def bytecode_of(node: TinyNode) -> tuple[Path, str]:
    """The file with the bytecode of h11, and the path of the module that `IMPORT` imports."""
    source = library_file(node, "h11/_version.py")
    return own_file(source.parents[1] / BYTECODE_NAME), source.relative_to(node.directory).as_posix()


def record(node: TinyNode, sha256: str) -> None:
    """Record another hash for the bytecode of h11."""
    path = node.directory / "releases/record.json"
    known = json.loads(path.read_text())
    part = bytecode_of(node)[0].parent.relative_to(node.directory).as_posix()
    assert known["releases"]["1.0"]["bytecode"][part]
    known["releases"]["1.0"]["bytecode"][part] = sha256
    path.write_text(json.dumps(known))


def evil(node: TinyNode) -> bytes:
    """A bytecode file that does something else, but claims to be of the source of h11's version."""
    source = library_file(node, "h11/_version.py").read_bytes()
    data = compiled(EVIL.encode(), "h11/_version.py")
    return data[:8] + importlib.util.source_hash(source) + data[16:]


def other_index(node: TinyNode) -> None:
    """Replace the whole file."""
    file, path = bytecode_of(node)
    file.write_bytes(joined({path: evil(node)})[0])


def other_code(node: TinyNode) -> None:
    """Replace one bytecode file, and keep the index."""
    file, path = bytecode_of(node)
    content, data = file.read_bytes(), evil(node)
    length = int.from_bytes(content[:4], "big")
    begin = 4 + length + json.loads(content[4 : 4 + length])[path][0]
    file.write_bytes(content[:begin] + data + content[begin + len(data) :])


def other_python(node: TinyNode) -> None:
    """Record the bytecode of another version of Python."""
    file, path = bytecode_of(node)
    content, sha256 = joined({path: b"\0\0" + evil(node)[2:]})
    file.write_bytes(content)
    record(node, sha256)


def other_source(node: TinyNode) -> None:
    """Record the bytecode of another source."""
    file, path = bytecode_of(node)
    content, sha256 = joined({path: compiled(EVIL.encode(), path)})
    file.write_bytes(content)
    record(node, sha256)


def no_file(node: TinyNode) -> None:
    """Delete the file."""
    bytecode_of(node)[0].unlink()


def cut_file(node: TinyNode) -> None:
    """Cut the file in its index."""
    bytecode_of(node)[0].write_bytes(bytecode_of(node)[0].read_bytes()[:20])


@pytest.mark.parametrize("change", [other_index, other_code, other_python, other_source, no_file, cut_file])
def test_bytecode_that_differs_is_not_executed(node: TinyNode, change: Callable[[TinyNode], None]) -> None:
    change(node)
    assert printed(node, IMPORT) == ["0. True"]


def test_bytecode_is_not_executed_without_its_source(node: TinyNode) -> None:
    changed = library_file(node, "h11/_version.py")
    changed.write_text(EVIL)
    done = inside(node, IMPORT)
    assert f"{changed} differs from the build; stage its release's tarball again." in done.stderr
    assert "EVIL" not in done.stdout


def test_a_traceback_names_the_file_in_the_directory_of_the_node(node: TinyNode) -> None:
    code = "import h11._util; print(h11._util.validate.__code__.co_filename)"
    assert printed(node, code) == [str(library_file(node, "h11/_util.py"))]


def test_the_modules_of_a_node_are_not_compiled(node: TinyNode) -> None:
    code = f"{COUNT}\nimport h11._version, node_runtime.cli.node\nprint([file for file in compiled if '.py' in file])"
    assert printed(node, code) == ["[]"]


def test_the_modules_of_an_application_are_not_compiled_when_they_are_first_imported(node: TinyNode) -> None:
    paths = {f"tiny.{name}": str(library_file(node, f"src/tiny/{name}.py")) for name in ("server", "sup")}
    code = f"""{COUNT}
from node_runtime.code.server import CodeServer
server = CodeServer()
server.add_application("tiny", "1.0", {paths})
open({paths["tiny.sup"]!r}, "a").write("MORE = 1\\n")
server.install()
import tiny.server, tiny.sup
print([file.rpartition("/")[2] for file in compiled if "/src/tiny/" in file])
print(tiny.server.TinyServer.init.__code__.co_filename, tiny.sup.MORE)
"""
    assert printed(node, code) == ["['sup.py']", f"{paths['tiny.server']} 1"]

"""Imports in a process of a release, started as bin/<name> starts it, with files that were changed or added."""

from __future__ import annotations

import importlib.util
import json
import py_compile
import subprocess
from pathlib import Path

import pytest

from tests.support.nodes.release_process import EVIL, inside, library_file, printed
from tests.support.nodes.tiny_node import NAME, TinyNode, install, node, running, tarballs

__all__ = ["node", "running", "tarballs"]


@pytest.fixture(scope="module")
def release(tarballs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> TinyNode:
    """A node directory that no test of this module changes."""
    return install(tarballs["1.0"], tmp_path_factory.mktemp("release"))


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("evil", "evil.py"),
        ("evil", "evil/__init__.py"),
        ("evil", "evil.pyc"),
        ("evil", "evil.abi3.so"),
        ("starlette.evil", "starlette/evil.py"),
        ("evil_folder.evil", "evil_folder/evil.py"),
    ],
)
def test_a_file_that_the_manifest_does_not_list_is_not_found(node: TinyNode, module: str, file: str) -> None:
    path = library_file(node, "starlette").parent / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(EVIL)
    if path.suffix == ".pyc":
        source = path.with_name("source.py")
        source.write_text(EVIL)
        py_compile.compile(str(source), cfile=str(path), doraise=True)
    done = inside(node, f"import {module}")
    assert "EVIL" not in done.stdout
    assert "ModuleNotFoundError: No module named" in done.stderr
    assert "EVIL" not in inside(node, f"import sys; sys.path.insert(0, {str(path.parent)!r})\nimport evil").stdout


def test_a_path_file_and_the_metadata_of_an_unlisted_distribution_have_no_effect(node: TinyNode) -> None:
    folder = library_file(node, "starlette").parent
    (folder / "evil.pth").write_text("import os; print('EVIL')\n")
    (folder / "evil-1.dist-info").mkdir()
    (folder / "evil-1.dist-info/METADATA").write_text("Name: evil\nVersion: 1\n")
    (folder / "evil-1.dist-info/entry_points.txt").write_text("[evil]\nevil = evil:evil\n")
    code = (
        "from importlib import metadata\n"
        "names = [each.name for each in metadata.distributions()]\n"
        "print('starlette' in names, 'evil' in names, len(metadata.entry_points(group='evil')))"
    )
    assert printed(node, code) == ["True False 0"]


def test_bytecode_files_are_neither_read_nor_written(node: TinyNode) -> None:
    source = library_file(node, "starlette/routing.py")
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir()
    other = source.with_name("other.py")
    other.write_text(EVIL)
    times = source.stat()
    py_compile.compile(str(other), cfile=str(cached), doraise=True)
    data = cached.read_bytes()
    header = int(times.st_mtime).to_bytes(4, "little") + times.st_size.to_bytes(4, "little")
    cached.write_bytes(data[:8] + header + data[16:])
    assert printed(node, "import starlette.routing as r; print(r.Route.__name__)") == ["Route"]
    assert [path for path in node.directory.rglob("*.pyc") if path != cached] == []


@pytest.mark.parametrize("path", ["starlette/routing.py", "msgspec/_core.*.so", "pyzmq.libs/libsodium*"])
def test_a_changed_file_is_not_executed(node: TinyNode, path: str) -> None:
    changed = library_file(node, path)
    with changed.open("ab") as file:
        file.write(b"\n#")
    done = inside(node, "import starlette.routing, msgspec, zmq")
    assert f"{changed} differs from the build; stage its release's tarball again." in done.stderr


def test_a_changed_entry_is_not_executed_by_a_verb(node: TinyNode) -> None:
    enter = library_file(node, "node_runtime/cli/enter.py")
    enter.write_text(EVIL)
    done = node.tiny("cookie", code=1)
    assert (done.stdout, done.stderr) == ("", f"{enter} differs from the build; stage its release's tarball again.\n")


def test_a_changed_library_is_not_executed_by_a_verb(node: TinyNode) -> None:
    changed = library_file(node, "node_runtime/protocol/cookie.py")
    changed.write_text(EVIL)
    done = node.tiny("cookie", code=1)
    assert (done.stdout, done.stderr) == ("", f"{changed} differs from the build; stage its release's tarball again.\n")


def test_a_process_refuses_a_manifest_that_was_changed_after_its_launcher_read_it(running: TinyNode) -> None:
    started = Path(f"/proc/{running.pid()}/cmdline").read_text().split("\0")
    command = started[: started.index("node_runtime.cli.node")]
    changed = library_file(running, "node_runtime/protocol/cookie.py")
    changed.write_text(EVIL)
    path = running.directory / "releases/1.0/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    line = [*command, "node_runtime.cli.local", "cookie", str(running.directory), NAME]
    done = subprocess.run(line, env=running.environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("", f"{path} differs from the build; stage its release's tarball again.\n")


def test_extension_modules_and_their_libraries_are_loaded_from_private_copies(release: TinyNode) -> None:
    code = """
import markupsafe._speedups, msgspec, psutil, zmq
context = zmq.Context()
left, right = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
left.bind("inproc://pair"); right.connect("inproc://pair")
right.send(msgspec.msgpack.encode(psutil.Process().pid)); print(len(left.recv()) > 0)
context.destroy(linger=0)
print(zmq.curve_keypair() != (b"", b""))
print([line for line in open("/proc/self/maps") if DIRECTORY in line])
copies = [line.partition("memfd:")[2].split() for line in open("/proc/self/maps") if "memfd:" in line]
print(sorted({words[0].partition(".")[0] for words in copies}))
print(msgspec._core.__file__.startswith(DIRECTORY), msgspec._core.__spec__.origin.startswith(DIRECTORY))
""".replace("DIRECTORY", repr(str(release.directory)))
    exchanged, has_keys, mapped, copies, paths = printed(release, code)
    assert (exchanged, has_keys, mapped, paths) == ("True", "True", "[]", "True True")
    for name in ("_core", "_psutil_linux", "_speedups", "_zmq"):
        assert repr(name) in copies
    assert "libzmq" in copies
    assert "libsodium" in copies


def test_data_files_are_found_and_verified(node: TinyNode) -> None:
    code = """
from importlib import metadata, resources
import inspect, pkgutil, starlette, starlette.routing
print(metadata.version("hotdash") == metadata.version("HotDash"), metadata.version("typing-extensions") > "4")
print("py.typed" in [each.name for each in resources.files("starlette").iterdir()])
read = resources.files("starlette").joinpath("routing.py").read_text()
print(read.encode() == pkgutil.get_data("starlette", "routing.py"))
with resources.as_file(resources.files("starlette") / "routing.py") as path: print(path.stat().st_size > 1000)
print("class Route" in inspect.getsource(starlette.routing.Route))
print("routing" in [module.name for module in pkgutil.iter_modules(starlette.__path__)])
print(starlette.routing.__file__.startswith(starlette.__path__[0]))
"""
    assert printed(node, code) == ["True True", "True", "True", "True", "True", "True", "True"]
    changed = library_file(node, "starlette/py.typed")
    changed.write_text("changed")
    done = inside(node, "from importlib import resources; (resources.files('starlette') / 'py.typed').read_bytes()")
    assert f"{changed} differs from the build" in done.stderr


def test_a_template_of_a_package_is_found_by_jinja(release: TinyNode) -> None:
    loader = "jinja2.Environment(loader=jinja2.PackageLoader('starlette', 'middleware'))"
    code = f"import jinja2; print('Middleware' in {loader}.get_template('__init__.py').render())"
    assert printed(release, code) == ["True"]


def test_a_release_starts_other_processes_with_the_same_imports(node: TinyNode) -> None:
    library_file(node, "starlette/routing.py")
    code = """
import subprocess
from node_runtime.code.verified_imports import release_command
import starlette.routing
open(starlette.routing.__file__, "a").write("# changed")
for code in "import starlette.routing", "import msgspec; print(msgspec.__name__)":
    command = release_command("timeit", "-n1", "-r1", "-s", code)
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout.partition(chr(10))[0], "differs from the build" in done.stderr)
"""
    assert printed(node, code) == [" True", "msgspec False"]


@pytest.mark.parametrize(
    "denied",
    [
        "import os; os.memfd_create = lambda *ignored: (_ for _ in ()).throw(OSError())",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))",
    ],
)
def test_without_files_in_memory_an_extension_module_is_loaded_from_its_verified_path(
    release: TinyNode, denied: str
) -> None:
    code = f"""
{denied}
import msgspec, zmq
print(msgspec.msgpack.decode(msgspec.msgpack.encode(7)), zmq.zmq_version_info() > (4,))
"""
    assert printed(release, code) == ["7 True"]

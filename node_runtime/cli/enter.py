"""Runs a module of a release with only that release's libraries: enter.py DIRECTORY VSN MODULE ARGUMENT….

bin/<name> starts a Python that can import only the standard library. That Python reads this file, compares its bytes
with the manifest, and executes them. The global `MANIFEST_SHA256` then has the hash of the manifest that bin/<name> has
verified. An older launcher starts this file by its path, and does not set the global.
"""

import gc
import hashlib
import importlib
import json
import os.path
import sys
from types import ModuleType
from typing import Any

BOOTSTRAP = (
    "node_runtime.code.bytecode",
    "node_runtime.code.verified_extensions",
    "node_runtime.code.verified_imports",
)
"""The modules that make the release's files importable, in the order of execution; each needs only earlier modules."""


def read(path: str, wanted: str | None) -> bytes:
    """Return the bytes of a file. If `wanted` is a hash and the bytes have another hash, end the process."""
    with open(path, "rb") as file:
        data = file.read()
    if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
        sys.exit(f"{path} differs from the build; stage its release's tarball again.")
    return data


def execute(directory: str, name: str, path: tuple[str, ...], files: dict[str, str]) -> ModuleType:
    """Execute one of the bootstrap modules from its verified bytes."""
    tail = f"{name.replace('.', '/')}.py"
    listed = next((file for folder in path if (file := f"{folder}/{tail}") in files), None)
    if listed is None:
        sys.exit(f"The release in {directory} contains no {tail}, so it can't run.")
    file = os.path.join(directory, listed)
    module = sys.modules[name] = ModuleType(name)
    module.__file__, module.__package__ = file, name.rpartition(".")[0]
    exec(compile(read(file, files[listed]), file, "exec", dont_inherit=True), module.__dict__)
    return module


def recorded_bytecode(directory: str, vsn: str) -> dict[str, str]:
    """Return the hashes that the commit record has for the bytecode of the release; {} if there are none."""
    try:
        with open(os.path.join(directory, "releases", "record.json"), "rb") as file:
            return dict(json.load(file)["releases"][vsn]["bytecode"])
    except (OSError, ValueError, LookupError, TypeError):
        return {}  # the modules are compiled; other code reports a damaged record


def enter(directory: str, vsn: str, module: str, *arguments: str) -> None:
    """Make the release's files importable, and call `module.main(arguments)`."""
    data = read(os.path.join(directory, "releases", vsn, "manifest.json"), globals().get("MANIFEST_SHA256"))
    manifest: dict[str, Any] = json.loads(data)
    files = {path: entry["sha256"] for path, entry in manifest["files"].items()}
    path = tuple(manifest["path"])
    executed = [execute(directory, name, path, files) for name in BOOTSTRAP]
    imports = executed[-1]
    command = [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(arguments) - 1]]
    imports.install(directory, vsn, files, recorded_bytecode(directory, vsn), path, command)
    for each in executed:
        imports.adopt(each, each.__file__)
    sys.argv[:] = [module, *arguments]
    gc.disable()  # an import makes lasting objects: collections would take time and find no garbage
    try:
        main = importlib.import_module(module).main
    except imports.DamagedFile as damage:
        sys.exit(str(damage))
    gc.enable()
    main(list(arguments))


if __name__ == "__main__":
    enter(*sys.argv[1:])

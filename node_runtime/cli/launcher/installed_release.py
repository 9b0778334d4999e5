"""A release in the node's directory: its manifest, whether its files are intact, and the command that runs it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from .interpreter import find_interpreter
from .node_directory import DIRECTORY, RECORD, REMEDY, LauncherError, staged_manifest, value_of

_LAUNCHER_VERSION = re.compile(rb"^VERSION = (\d+)$", re.MULTILINE)

# Runs a file of the release from the bytes that were compared with the manifest. Its arguments are the file, its hash,
# the manifest's hash, and the file's own arguments.
_RUN_VERIFIED = """import hashlib, sys
path, wanted, manifest, *sys.argv[1:] = sys.argv[1:]
with open(path, 'rb') as file:
    data = file.read()
if hashlib.sha256(data).hexdigest() != wanted:
    sys.exit(path + " differs from the build; stage its release's tarball again.")
names = {'__name__': '__main__', '__file__': path, 'MANIFEST_SHA256': manifest}
exec(compile(data, path, 'exec', dont_inherit=True), names)
"""


class InstalledRelease:
    """A release in the node's directory. Its manifest is read once."""

    def __init__(self, vsn: str) -> None:
        """Read the manifest. Raises LauncherError if it is missing or damaged, or not the one that was staged."""
        self.vsn = vsn
        self.path = RECORD.parent / vsn / "manifest.json"
        try:
            data = self.path.read_bytes()
            self._manifest: object = json.loads(data)
        except FileNotFoundError:
            raise LauncherError(f"Release {vsn} is damaged: {self.path} is missing; {REMEDY}.") from None
        except (ValueError, RecursionError) as error:
            raise LauncherError(f"{self.path} is damaged: {error}; restore it from a backup.") from None
        self._manifest_sha256 = hashlib.sha256(data).hexdigest()
        if self._manifest_sha256 != (staged_manifest(vsn) or self._manifest_sha256):
            raise LauncherError(f"Release {vsn} is damaged: {self.path} is not the manifest that was staged; {REMEDY}.")

    def value(self, key: str, kind: type) -> Any:
        """Return the value of `key` in the manifest. Raises LauncherError unless it is of type `kind`."""
        return value_of(self.path, self._manifest, key, kind)

    def verify(self) -> None:
        """Raise LauncherError if a file differs from the build, or if the Python that the release needs is missing.

        Files in bin/ are not checked, because bin/ may have the newer launcher of another release.
        """
        self.interpreter()
        for path in self.value("files", dict):
            if not path.startswith("bin/"):
                self._read(path)

    def interpreter(self) -> str:
        """Return the path of the Python that runs the release. Raises LauncherError if it is missing."""
        return find_interpreter(self.vsn, self.value("python", str))

    def command(self, module: str, *arguments: str) -> list[str]:
        """Return the command that runs `module.main(arguments)` with only the release's own libraries.

        The process that the command starts compares each file with the manifest that was read here.
        """
        enter = self._runtime_file("cli/enter.py")
        start = (self.interpreter(), "-I", "-S", "-B", "-X", "utf8", "-c", _RUN_VERIFIED)
        hashes = (self._sha256(enter), self._manifest_sha256)
        return [*start, str(DIRECTORY / enter), *hashes, str(DIRECTORY), self.vsn, module, *arguments]

    def launcher_version(self) -> int:
        """Return the version of the launcher that the release contains; 1 if that launcher has no version."""
        found = _LAUNCHER_VERSION.search(self._read(self._runtime_file("cli/launcher/__init__.py")))
        return int(found[1]) if found else 1

    def _runtime_file(self, name: str) -> str:
        """Return the path, relative to the node's directory, of a file of node_runtime."""
        files = self.value("files", dict)
        paths = [f"{folder}/node_runtime/{name}" for folder in self.value("path", list)]
        listed = next((path for path in paths if path in files), None)
        if listed is None:
            raise LauncherError(
                f"Release {self.vsn} in {RECORD.parent} contains no node_runtime/{name}, so it can't run; restore it "
                f"from a backup."
            )
        return listed

    def _sha256(self, path: str) -> str:
        return str(value_of(self.path, self.value("files", dict)[path], "sha256", str))

    def _read(self, path: str) -> bytes:
        """Return the bytes of a listed file. Raises LauncherError if they differ from the manifest."""
        wanted, file = self._sha256(path), Path(DIRECTORY, path)
        data = file.read_bytes() if file.is_file() else None
        if data is None or hashlib.sha256(data).hexdigest() != wanted:
            wrong = "differs from the build" if file.exists() else "is missing"
            raise LauncherError(f"Release {self.vsn} is damaged: {path} {wrong}; {REMEDY}.")
        return data

#!/bin/sh -
""":" # The command line of the node in this directory, and its parent process.
# sh starts Python, so that PYTHONPATH, similar variables and site-packages can't change which code runs. The code is in
# the newest _launcher-<version>/, which a commit has installed, or else in _launcher/.
command -v python3 >/dev/null || { echo "$0 needs python3; install it on PATH." >&2; exit 1; }
exec python3 -I -S -B -X utf8 -- "$0" "$@"
"""

import importlib
import os
import sys
from importlib.machinery import FileFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


class LauncherLoader(SourceFileLoader):
    """The loader of the launcher's files. It ignores bytecode files, because `path_stats` raises."""

    def path_stats(self, path):  # type: ignore[no-untyped-def]  # older Pythons must get as far as `need_python`
        """Raise OSError, so that the base class neither reads nor writes bytecode files."""
        raise OSError(path)


def newest_launcher(folder: Path) -> Path:
    """Return the folder of the newest launcher in bin/."""
    replacing = [path for path in folder.glob("_launcher-*") if path.name.rpartition("-")[2].isdecimal()]
    return max(replacing, key=lambda path: int(path.name.rpartition("-")[2]), default=folder / "_launcher")


def load_launcher(folder: Path) -> None:
    """Make only the launcher in `folder` importable, as `_launcher`, and no other file of bin/."""
    sys.path_importer_cache[str(folder)] = FileFinder(str(folder), (LauncherLoader, [".py"]))
    first = str(folder / "__init__.py")
    loader = LauncherLoader("_launcher", first)
    spec = spec_from_file_location("_launcher", first, loader=loader, submodule_search_locations=[str(folder)])
    assert spec is not None
    sys.modules["_launcher"] = module_from_spec(spec)
    loader.exec_module(sys.modules["_launcher"])


if __name__ == "__main__":
    if not (sys.flags.isolated and sys.flags.no_site):
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-B", "-X", "utf8", "--", *sys.argv])
    os.umask(0o077)
    load_launcher(newest_launcher(Path(__file__).resolve().parent))
    importlib.import_module("_launcher.verbs").main()

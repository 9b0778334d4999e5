"""The node's directory: which releases it contains, which of them may boot, and which files they have."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.argv[0]).resolve()  # bin/<name>
DIRECTORY = SCRIPT.parent.parent
NAME = SCRIPT.name
RECORD = DIRECTORY / "releases" / "record.json"
LOG = DIRECTORY / "var" / "log" / f"{NAME}.log"

REFUSED, USAGE, DOWN = 1, 2, 3
INSTALL_COMMAND = f"`node-runtime install TARBALL {shlex.quote(str(DIRECTORY))}`"
REMEDY = f"{INSTALL_COMMAND} repairs it"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class LauncherError(Exception):
    """An error that ends the command with a sentence for the operator and an exit code."""

    def __init__(self, sentence: str, code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.code = code


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; return {} if there is no file. Raises LauncherError if the file is not valid JSON."""
    try:
        read: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return read
    except ValueError as error:
        raise LauncherError(f"{path} is damaged: {error}; restore it from a backup.") from None


def value_of(path: Path, read: object, key: str, kind: type) -> Any:
    """Return the value of `key` in an object read from `path`. Raises LauncherError unless it is of type `kind`."""
    found = read.get(key) if isinstance(read, dict) else None
    if not isinstance(found, kind):
        raise LauncherError(f"{path} is damaged: {key!r} is missing or has a wrong type; restore it from a backup.")
    return found


def permanent() -> str:
    """Return the version that boots: the commit record's permanent one, or the only release if there is no record."""
    if RECORD.exists():
        return str(value_of(RECORD, read_json(RECORD), "permanent", str))
    found = sorted(path.parent.name for path in RECORD.parent.glob("*/manifest.json"))
    if not found:
        raise LauncherError(f"{RECORD.parent} contains no release; {INSTALL_COMMAND} unpacks one.")
    if len(found) > 1:
        raise LauncherError(
            f"{RECORD.parent} contains the releases {' and '.join(found)}, but no {RECORD.name} that says which of "
            f"them boots; restore that file from a backup."
        )
    return found[0]


def bootable() -> list[str]:
    """Return the releases that may boot: the permanent one, then the old ones, the most recently committed first."""
    first = permanent()
    known = value_of(RECORD, read_json(RECORD), "releases", dict) if RECORD.exists() else {}
    old = [vsn for vsn, held in known.items() if value_of(RECORD, held, "status", str) == "old"]
    return [first, *sorted(old, key=lambda vsn: known[vsn].get("committed") or 0, reverse=True)]


def manifest(vsn: str, key: str, kind: type) -> Any:
    """Return the value of `key` in the manifest of a release in this directory."""
    path = RECORD.parent / vsn / "manifest.json"
    if not path.exists():
        raise LauncherError(f"Release {vsn} is damaged: {path} is missing; {REMEDY}.")
    return value_of(path, read_json(path), key, kind)


def check_manifest(vsn: str) -> None:
    """Raise LauncherError if the manifest is not the one that was staged, whose hash is in the commit record."""
    known = value_of(RECORD, read_json(RECORD), "releases", dict) if RECORD.exists() else {}
    wanted = ((known.get(vsn) or {}).get("origin") or {}).get("manifest")  # older records have no origin
    path = RECORD.parent / vsn / "manifest.json"
    if wanted and path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
        raise LauncherError(f"Release {vsn} is damaged: {path} is not the manifest that was staged; {REMEDY}.")


def verify(vsn: str) -> None:
    """Raise LauncherError if a file of the release differs from the build, or if the release needs another Python."""
    check_manifest(vsn)
    if (wanted := manifest(vsn, "python", str)) != PYTHON:
        raise LauncherError(f"Release {vsn} needs Python {wanted}, but this is Python {PYTHON}.")
    for path, listed in manifest(vsn, "files", dict).items():
        if not path.startswith("bin/"):
            file, wanted = DIRECTORY / path, value_of(RECORD.parent / vsn / "manifest.json", listed, "sha256", str)
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                wrong = "differs from the build" if file.exists() else "is missing"
                raise LauncherError(f"Release {vsn} is damaged: {path} {wrong}; {REMEDY}.")


def node_name() -> str:
    """Return the node's name from etc/node.toml, else from the release's node.toml."""
    import tomllib  # imported late: older Pythons lack it, and must get as far as `need_python`

    release = RECORD.parent / permanent() / "node.toml"
    for path in (DIRECTORY / "etc" / "node.toml", release):
        try:
            name = tomllib.loads(path.read_text()).get("name") if path.exists() else None
        except ValueError as error:
            raise LauncherError(f"{path} is not valid TOML: {error}; correct it.") from None
        if name:
            return str(name)
    raise LauncherError(f"{release} does not set the node's name; add `name` to {DIRECTORY / 'etc' / 'node.toml'}.")


def bundled(vsn: str, module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module.main(arguments)` with only the release's own libraries."""
    paths = [str(part) for part in manifest(vsn, "path", list)]
    enters = [DIRECTORY / part / "node_runtime" / "cli" / "enter.py" for part in paths]
    enter = next((path for path in enters if path.is_file()), None)
    if enter is None:
        raise LauncherError(
            f"Release {vsn} in {RECORD.parent} contains no node_runtime, so it can't run; restore it from a backup."
        )
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(enter), str(DIRECTORY), vsn, module, *arguments]

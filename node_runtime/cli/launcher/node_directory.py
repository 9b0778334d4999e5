"""The node's directory: which releases it contains, and which of them may boot."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.argv[0]).resolve()  # bin/<name>
DIRECTORY = SCRIPT.parent.parent
NAME = SCRIPT.name
RECORD = DIRECTORY / "releases" / "record.json"
NODE_LOCK = DIRECTORY / "var" / "node.lock"
LOG = DIRECTORY / "var" / "log" / f"{NAME}.log"

REFUSED, USAGE, DOWN, OTHERWISE = 1, 2, 3, 6
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
        read: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):  # a new parent deletes the status of the parent before it
        return {}
    except (ValueError, RecursionError) as error:
        raise LauncherError(f"{path} is damaged: {error}; restore it from a backup.") from None
    return read


def value_of(path: Path, read: object, key: str, kind: type | tuple[type, ...]) -> Any:
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
    old = {vsn: held for vsn, held in recorded().items() if value_of(RECORD, held, "status", str) == "old"}
    return [first, *sorted(old, key=lambda vsn: _committed(old[vsn]), reverse=True)]


def recorded() -> dict[str, dict[str, Any]]:
    """Return the entries of the commit record; {} if there is no record."""
    known: dict[str, Any] = value_of(RECORD, read_json(RECORD), "releases", dict) if RECORD.exists() else {}
    return {vsn: value_of(RECORD, known, vsn, dict) for vsn in known}


def _committed(held: dict[str, Any]) -> float:
    return float(value_of(RECORD, held, "committed", (int, float))) if held.get("committed") is not None else 0.0


def staged_manifest(vsn: str) -> str | None:
    """Return the hash that the commit record has for the manifest of a release; older records have none."""
    held = recorded().get(vsn, {})
    if held.get("origin") is None:
        return None
    return str(value_of(RECORD, value_of(RECORD, held, "origin", dict), "manifest", str))


def node_name() -> str:
    """Return the node's name from etc/node.toml, else from the release's node.toml."""
    import tomllib  # imported late: older Pythons lack it, and must get as far as `need_python`

    release = RECORD.parent / permanent() / "node.toml"
    for path in (DIRECTORY / "etc" / "node.toml", release):
        try:
            name = tomllib.loads(path.read_text()).get("name") if path.exists() else None
        except (ValueError, RecursionError) as error:
            raise LauncherError(f"{path} is not valid TOML: {error}; correct it.") from None
        if name:
            return str(name)
    raise LauncherError(f"{release} does not set the node's name; add `name` to {DIRECTORY / 'etc' / 'node.toml'}.")

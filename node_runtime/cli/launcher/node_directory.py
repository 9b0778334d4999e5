"""What stands in the node's directory: its releases, which of them may boot, and what they are made of."""

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
REMEDY = f"`node-runtime install TARBALL {shlex.quote(str(DIRECTORY))}` puts it right"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Failure(Exception):
    """A sentence for people, and the exit code it ends in."""

    def __init__(self, sentence: str, code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.code = code


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the node directory; empty where there is no such file. Fails for one that makes no sense."""
    try:
        read: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return read
    except ValueError as error:
        raise Failure(f"{path} is damaged: {error}; put it back from a backup.") from None


def entry(path: Path, read: object, key: str, kind: type) -> Any:
    """What stands under `key` in something read from `path`. Fails where that isn't a `kind`."""
    found = read.get(key) if isinstance(read, dict) else None
    if not isinstance(found, kind):
        raise Failure(f"{path} is damaged: it doesn't say {key!r}; put it back from a backup.")
    return found


def permanent() -> str:
    """The version that boots: the commit record's word, or the only release where there is no record yet."""
    if RECORD.exists():
        return str(entry(RECORD, read_json(RECORD), "permanent", str))
    found = sorted(path.parent.name for path in RECORD.parent.glob("*/manifest.json"))
    if len(found) != 1:
        held = " and ".join(found) if found else "no release"
        raise Failure(f"{RECORD.parent} holds {held}, and no {RECORD.name} says what to boot.")
    return found[0]


def bootable() -> list[str]:
    """What may boot: the permanent release, then those that were permanent before, the last one first."""
    first = permanent()
    known = entry(RECORD, read_json(RECORD), "releases", dict) if RECORD.exists() else {}
    old = [vsn for vsn, held in known.items() if entry(RECORD, held, "status", str) == "old"]
    return [first, *sorted(old, key=lambda vsn: known[vsn].get("committed") or 0, reverse=True)]


def manifest(vsn: str, key: str, kind: type) -> Any:
    """What the manifest of a release that stands here says under `key`."""
    path = RECORD.parent / vsn / "manifest.json"
    if not path.exists():
        raise Failure(f"Release {vsn} is damaged: {path} is missing; {REMEDY}.")
    return entry(path, read_json(path), key, kind)


def verify(vsn: str) -> None:
    """Fails for a release that isn't what was built, or that this Python can't run."""
    if (wanted := manifest(vsn, "python", str)) != PYTHON:
        raise Failure(f"Release {vsn} needs Python {wanted}, and this is {PYTHON}.")
    for path, said in manifest(vsn, "files", dict).items():
        if not path.startswith("bin/"):
            file, wanted = DIRECTORY / path, entry(RECORD.parent / vsn / "manifest.json", said, "sha256", str)
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                wrong = "is not what was built" if file.exists() else "is missing"
                raise Failure(f"Release {vsn} is damaged: {path} {wrong}; {REMEDY}.")


def node_name() -> str:
    """The node's name: etc/node.toml's, else the release's."""
    import tomllib  # an older Python has to come as far as `need_python`

    release = RECORD.parent / permanent() / "node.toml"
    for path in (DIRECTORY / "etc" / "node.toml", release):
        try:
            name = tomllib.loads(path.read_text()).get("name") if path.exists() else None
        except ValueError as error:
            raise Failure(f"{path} is not valid TOML: {error}.") from None
        if name:
            return str(name)
    raise Failure(f"{release} doesn't give the node a name.")


def bundled(vsn: str, module: str, *arguments: str) -> list[str]:
    """The command line that runs `module.main(arguments)` with the release's own libraries and no others."""
    paths = [str(part) for part in manifest(vsn, "path", list)]
    enters = [DIRECTORY / part / "node_runtime" / "cli" / "enter.py" for part in paths]
    enter = next((path for path in enters if path.is_file()), None)
    if enter is None:
        raise Failure(f"Release {vsn} in {RECORD.parent} has no node_runtime to run with; put it back from a backup.")
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(enter), str(DIRECTORY), vsn, module, *arguments]

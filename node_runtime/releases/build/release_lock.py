"""release.lock: the third-party distributions that a release may contain, with the hashes of their contents.

A line is "jinja2==3.1.6 sha256:… 3.11 linux-x86_64". Distributions with native code differ between Pythons and
platforms, so a build compares only the lines of its own Python and platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.manifest import this_platform, this_python

from .content_hash import content_sha256
from .distributions import Distribution

LOCK_FILE = "release.lock"
"""The name of the file beside release.toml. The file is optional."""

_HEAD = "# The third-party code of the release. `node-runtime lock` writes this file, `node-runtime build` checks it.\n"
_LINE = re.compile(r"([a-z0-9-]+)==(\S+) sha256:([0-9a-f]{64}) (\S+) (\S+)")


def check_lock(folder: Path, distributions: Iterable[Distribution]) -> None:
    """Raise Refused if the project's lock lacks one of `distributions`, or has it with another version or content."""
    path = folder / LOCK_FILE
    lines = _read(path)
    if lines is None:
        return
    here = (this_python(), this_platform())
    locked = {line[0]: line[1:3] for line in lines if line[3:] == here}
    remedy = f"if this is intended, run `node-runtime lock {folder}`"
    for each in distributions:
        if each.name not in locked:
            on = f"for Python {here[0]} on {here[1]}"
            raise Refused(f"{path} doesn't list {each.name} {each.version} {on}; {remedy}.")
        version, digest = locked[each.name]
        if version != each.version:
            raise Refused(f"{path} lists {each.name} {version}, but the build has found {each.version}; {remedy}.")
        if digest != content_sha256(each.files):
            raise Refused(f"The files of {each.name} {version} are not those that {path} lists; {remedy}.")


def write_lock(folder: Path, distributions: Iterable[Distribution]) -> Path:
    """Write the lock's lines of this Python and platform, and keep all other lines. Return the path of the lock.

    Raises Refused if the existing file is not a lock, or if the lock can't be written.
    """
    path = folder / LOCK_FILE
    here = (this_python(), this_platform())
    lines = {line for line in _read(path) or () if line[3:] != here}
    lines |= {(each.name, each.version, content_sha256(each.files), *here) for each in distributions}
    text = "".join(
        f"{name}=={version} sha256:{digest} {python} {platform}\n"
        for name, version, digest, python, platform in sorted(lines)
    )
    try:
        path.write_text(_HEAD + text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path} can't be written: {error.strerror}.") from None
    return path


def _read(path: Path) -> list[tuple[str, str, str, str, str]] | None:
    """Return name, version, hash, Python and platform of each line; None if there is no lock."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} can't be read: {error}.") from None
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise Refused(f"{path}, line {number}: expected NAME==VERSION sha256:HASH PYTHON PLATFORM.")
            lines.append((found[1], found[2], found[3], found[4], found[5]))
    return lines

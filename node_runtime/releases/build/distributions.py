"""The third-party code of a release: which distributions it needs, and where their files are.

A distribution that stands in the building environment in a version that is wanted is taken from there, by the list
of files that its installer left (RECORD). Anything else pip brings from the package index.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.toml import wrong

OURS = "hotdash"
"""The distribution that node_runtime comes in."""

_OF_THE_NODE = ("jinja2", "msgspec", "psutil", "pyzmq", "starlette", "uvicorn")
_OF_THE_COMMAND_LINE = ("click", "rich")
_TRACES_OF_INSTALLERS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution and its files, by their paths below its folder."""

    name: str
    version: str
    files: dict[str, Path]

    @property
    def directory(self) -> str:
        """Where it stands in the node directory."""
        return f"lib/{self.name}-{self.version}"


def own_requirements() -> list[Requirement]:
    """What node_runtime needs in a node, and the operator's verbs of bin/<name> with it."""
    needed = {*_OF_THE_NODE, *_OF_THE_COMMAND_LINE}
    declared = (Requirement(line) for line in metadata.requires(OURS) or ())
    return [requirement for requirement in declared if canonicalize_name(requirement.name) in needed]


def parse_requirements(lines: Iterable[str], where: Path) -> list[Requirement]:
    """The release's own requirements. Raises `Refused`."""
    parsed = []
    for number, line in enumerate(lines):
        try:
            parsed.append(Requirement(line))
        except InvalidRequirement as error:
            said = str(error).splitlines()[0]
            raise wrong(where, ("requirements", number), f"{line!r} is no requirement as pip has it: {said}") from None
    return parsed


def closure(requirements: Iterable[Requirement], downloads: Path) -> list[Distribution]:
    """Everything that `requirements` need, by name. What pip has to fetch it puts below `downloads`."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    queue = deque((requirement, "the release") for requirement in requirements)
    while queue:
        requirement, asker = queue.popleft()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name not in found:
            found[name] = _installed(requirement) or _fetched(requirement, downloads / name)
        elif not requirement.specifier.contains(found[name].version, prereleases=True):
            raise Refused(f"{asker} needs {requirement}, and {name} {found[name].version} was asked for before it.")
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                queue.extend((needed, f"{name} {found[name].version}") for needed in _needs(found[name], extra))
    return [
        Distribution(name, distribution.version, _files(distribution)) for name, distribution in sorted(found.items())
    ]


def _needs(distribution: metadata.Distribution, extra: str) -> list[Requirement]:
    """What `distribution` needs here; for an extra, what comes in addition (and once more what is needed anyway)."""
    needed = []
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            requirement.marker = None
            needed.append(requirement)
    return needed


def _installed(requirement: Requirement) -> metadata.Distribution | None:
    """The distribution in the building environment, if its version is wanted and its files can be copied."""
    try:
        distribution = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        return None
    if distribution.files is None or not requirement.specifier.contains(distribution.version, prereleases=True):
        return None
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return None if origin.get("dir_info", {}).get("editable") else distribution


def _fetched(requirement: Requirement, target: Path) -> metadata.Distribution:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    done = subprocess.run(
        (*pip, "--no-deps", "--target", str(target), str(requirement)), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise Refused(f"{requirement} is not installed here, and pip can't bring it: {said[-1]}")
    return next(iter(metadata.distributions(path=[str(target)])))


def _files(distribution: metadata.Distribution) -> dict[str, Path]:
    """The files that code needs: no scripts, no bytecode, nothing that depends on who installed it."""
    return {
        path.as_posix(): Path(str(distribution.locate_file(path)))
        for path in distribution.files or ()
        if path.parts[0] != ".." and "__pycache__" not in path.parts and not _is_trace(path)
    }


def _is_trace(path: PurePosixPath) -> bool:
    return path.parts[0].endswith(".dist-info") and path.name in _TRACES_OF_INSTALLERS

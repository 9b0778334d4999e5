"""The third-party distributions of a release and their files.

A distribution may be installed in the build environment, from a wheel and in an acceptable version. Then the build
compares the files that its RECORD lists with their hashes, and copies them. pip fetches wheels of all other
distributions from the package index; nothing is built from source.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Set
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.toml_reading.toml_file import refusal_at

from .installed_files import is_wheel, read_recorded


class Distribution(msgspec.Struct, frozen=True):
    """A distribution. `files` maps each path below `directory` to its content.

    `needs` are the names of the distributions that it needs in this environment.
    """

    name: str
    version: str
    files: dict[str, bytes]
    needs: frozenset[str] = frozenset()

    @property
    def directory(self) -> str:
        """The path of the distribution in the node directory.

        If only this Python can load a file, such as `_zmq.cpython-311-x86_64-linux-gnu.so`, the name of the folder ends
        with the version of this Python. So a node can have releases for two Pythons, each with its own build of a
        distribution.
        """
        is_bound = any(f".{sys.implementation.cache_tag}-" in path for path in self.files)
        python = "+cp{}{}".format(*sys.version_info) if is_bound else ""
        return f"lib/{self.name}-{self.version}{python}"


def parse_requirements(lines: Iterable[str], where: Path) -> list[Requirement]:
    """Parse the requirements in the file `where`. Raises `Refused` for an invalid one."""
    parsed = []
    for number, line in enumerate(lines):
        try:
            parsed.append(Requirement(line))
        except InvalidRequirement as error:
            message = str(error).splitlines()[0]
            raise refusal_at(
                where, ("requirements", number), f"{line!r} is not a valid requirement (PEP 508): {message}"
            ) from None
    return parsed


def resolve_distributions(
    requirements: Iterable[Requirement],
    downloads: Path,
    runtime: Iterable[Requirement] = (),
    unused: Mapping[str, Set[str]] = MappingProxyType({}),
) -> list[Distribution]:
    """Return the distributions that satisfy `requirements`, and their dependencies, sorted by name.

    `runtime` are the requirements of the runtime. `unused` maps a distribution to those of its dependencies that the
    runtime does not use: such a dependency is left out unless `requirements` depend on it. pip downloads missing
    distributions to `downloads`. Raises Refused if pip can't download a distribution, or if the installed files of a
    distribution are not those of its wheel.
    """
    found: dict[str, metadata.Distribution] = {}
    needs: dict[str, set[str]] = defaultdict(set)
    seen: set[tuple[str, str]] = set()
    queue = deque((requirement, "the release") for requirement in requirements)
    queued_for_the_runtime = deque((requirement, "the runtime") for requirement in runtime)
    left_out: Mapping[str, Set[str]] = {}
    while queue or queued_for_the_runtime:
        if not queue:
            queue, queued_for_the_runtime, left_out = queued_for_the_runtime, queue, unused
        requirement, requirer = queue.popleft()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name not in found:
            found[name] = _installed(requirement) or _fetched(requirement, downloads / name)
        elif not requirement.specifier.contains(found[name].version, prereleases=True):
            raise Refused(
                f"{requirer} needs {requirement}, but another requirement has selected {name} {found[name].version}; "
                f"correct the requirements in release.toml."
            )
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed = [
                    each
                    for each in _needs(found[name], extra)
                    if canonicalize_name(each.name) not in left_out.get(name, ())
                ]
                needs[name] |= {canonicalize_name(each.name) for each in needed}
                queue.extend((each, f"{name} {found[name].version}") for each in needed)
    return [
        Distribution(name, distribution.version, read_recorded(distribution), frozenset(needs[name]))
        for name, distribution in sorted(found.items())
    ]


def _needs(distribution: metadata.Distribution, extra: str) -> list[Requirement]:
    """Return what `distribution` requires in this environment, including what its extra `extra` requires."""
    needed = []
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            requirement.marker = None
            needed.append(requirement)
    return needed


def _installed(requirement: Requirement) -> metadata.Distribution | None:
    """Return the installed distribution if its version is acceptable and its files can be checked; else None."""
    try:
        distribution = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        return None
    acceptable = requirement.specifier.contains(distribution.version, prereleases=True)
    return distribution if acceptable and is_wheel(distribution) else None


def _fetched(requirement: Requirement, target: Path) -> metadata.Distribution:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    options = ("--no-deps", "--only-binary", ":all:", "--target", str(target))
    completed = subprocess.run((*pip, *options, str(requirement)), capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        output = completed.stderr.strip().splitlines() or ["no error output"]
        raise Refused(
            f"{requirement} is not installed from a wheel in the build environment, and pip could not fetch a wheel: "
            f"{output[-1]}"
        )
    return next(iter(metadata.distributions(path=[str(target)])))

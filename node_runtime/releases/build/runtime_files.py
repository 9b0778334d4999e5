"""The runtime as a part of each release: node_runtime, and those commands of hotdash that bin/<name> runs."""

from __future__ import annotations

from collections.abc import Mapping, Set
from importlib import metadata, util
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from node_runtime.protocol.exit_codes import Refused

from .distributions import Distribution
from .installed_files import check_recorded

OWN_DISTRIBUTION = "hotdash"
"""The distribution that contains node_runtime."""

_NODE_REQUIREMENTS = ("cryptography", "jinja2", "msgspec", "psutil", "pyzmq", "starlette", "uvicorn")
_COMMAND_LINE_REQUIREMENTS = ("click", "rich")

UNUSED_NEEDS: Final[Mapping[str, Set[str]]] = {"rich": {"markdown-it-py", "pygments"}}
"""For each distribution, those of its dependencies that the commands never use.

The commands print tables with rich. rich needs pygments only for source code, and markdown-it-py only for Markdown.
These two dependencies would be a third of the sources in a release.
"""

# A node's script needs only the command line of hotdash, not the dashboard.
_DASHBOARD_PARTS = ("app.py", "app", "screens", "views", "widgets", "demo", "examples")


def own_requirements() -> list[Requirement]:
    """Return the requirements of node_runtime, and of those hotdash commands that the script bin/<name> runs."""
    needed = {*_NODE_REQUIREMENTS, *_COMMAND_LINE_REQUIREMENTS}
    declared = (Requirement(line) for line in metadata.requires(OWN_DISTRIBUTION) or ())
    return [requirement for requirement in declared if canonicalize_name(requirement.name) in needed]


def runtime_distribution() -> Distribution:
    """Return the runtime of the build environment. Raises Refused if its files have changed since the installation."""
    installed = metadata.distribution(OWN_DISTRIBUTION)
    files = _package("node_runtime") | _package("hotdash")
    check_recorded(installed, files)
    # importlib.metadata.version in the node reads this file.
    described = f"{OWN_DISTRIBUTION}-{installed.version}.dist-info/METADATA"
    files[described] = (installed.read_text("METADATA") or "").encode()
    needs = frozenset(canonicalize_name(requirement.name) for requirement in own_requirements())
    return Distribution(OWN_DISTRIBUTION, installed.version, files, needs)


def placed(runtime: Distribution) -> dict[str, bytes]:
    """Return the runtime's files by path in the node directory, where node_runtime has a folder of its own."""
    return {
        f"lib/{'node_runtime' if path.startswith('node_runtime/') else runtime.name}-{runtime.version}/{path}": data
        for path, data in runtime.files.items()
    }


def _package(name: str) -> dict[str, bytes]:
    """Return the files of an importable package, without the files of hotdash's dashboard."""
    spec = util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(
            f"The package {name} is not installed in the build environment; install hotdash, which contains it."
        )
    root = Path(spec.submodule_search_locations[0])
    return {
        f"{name}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.suffix in {".py", ".typed"}
        and not (name == "hotdash" and path.relative_to(root).parts[0] in _DASHBOARD_PARTS)
    }

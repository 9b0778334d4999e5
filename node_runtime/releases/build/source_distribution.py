"""The code of an application that is an installed distribution: `source = "distribution:NAME"` in app.toml."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import machinery, metadata
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from node_runtime.releases.files.toml_reading.toml_file import refusal_at

from .installed_files import is_editable, is_wheel, read_recorded

PREFIX: Final = "distribution:"
_METADATA: Final = (".dist-info", ".data")
_COMPILED: Final = (*machinery.EXTENSION_SUFFIXES, ".so", ".pyd", ".dylib")


def distribution_files(folder: Path, name: str) -> dict[str, Path]:
    """Return the files of an installed distribution by their paths in the application, which is in `folder`.

    Raises Refused if the distribution isn't installed from a wheel, if its files were changed, or if it has compiled
    modules.
    """
    app_toml, key = folder / "app.toml", ("source",)
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise refusal_at(app_toml, key, f"{name} is not installed in {sys.prefix}; install it there") from None
    if is_editable(found):
        raise refusal_at(
            app_toml, key, f"{name} is installed as a link to its sources; write the path of their folder as source"
        )
    if not is_wheel(found):
        raise refusal_at(app_toml, key, f"{name} was not installed from a wheel; install it with pip")
    if (compiled := compiled_module(found)) is not None:
        raise refusal_at(
            app_toml,
            key,
            f"{compiled} of {name} is compiled, and can't be replaced while a node runs; name {name}=={found.version} "
            "in `requirements` of release.toml instead, so that a change of it needs a restart",
        )
    paths = (path for path in read_recorded(found) if not PurePosixPath(path).parts[0].endswith(_METADATA))
    return {f"src/{path}": Path(str(found.locate_file(path))) for path in paths}


def compiled_module(distribution: metadata.Distribution) -> str | None:
    """Return a compiled module of a distribution; None if it has only Python code."""
    return next((str(path) for path in distribution.files or () if path.name.endswith(_COMPILED)), None)


def needed_distributions(distribution: metadata.Distribution) -> list[Requirement]:
    """Return what a distribution needs in this environment, without extras."""
    needs = map(Requirement, distribution.requires or ())
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


def check_requirements(folder: Path, name: str, requirements: Iterable[str]) -> None:
    """Raise Refused if the requirements of the release contain the distribution, or lack one that it needs."""
    required = {canonicalize_name(Requirement(line).name) for line in requirements}
    app_toml, key = folder / "app.toml", ("source",)
    if canonicalize_name(name) in required:
        raise refusal_at(app_toml, key, f"{name} is also in `requirements` of release.toml; remove it there")
    own = {canonicalize_name(need.name) for need in needed_distributions(metadata.distribution("hotdash"))}
    for need in needed_distributions(metadata.distribution(name)):
        if canonicalize_name(need.name) not in required | own:
            raise refusal_at(app_toml, key, f"{name} needs {need}; add it to `requirements` of release.toml")

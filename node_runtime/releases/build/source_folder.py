"""The code of an application that is outside of its folder `src`: `source` in app.toml says where."""

from __future__ import annotations

from pathlib import Path

from node_runtime.releases.files.toml_reading.toml_file import refusal_at

from .source_distribution import PREFIX, distribution_files


def files_below(path: Path) -> list[Path]:
    """Return `path` if it is a file; if it is a folder, all files below it except hidden files and bytecode."""
    if path.is_file():
        return [path]
    return [
        found
        for found in sorted(path.rglob("*"))
        if found.is_file()
        and not any(part[0] == "." or part == "__pycache__" for part in found.relative_to(path).parts)
    ]


def source_files(folder: Path, source: str) -> dict[str, Path]:
    """Return the files of `source` by their paths in the application.

    `source` is a path relative to the application's folder, or "distribution:" and an installed distribution's name. A
    folder with an __init__.py is a package, and a file is a module. Any other folder has packages and modules, as `src`
    has. Raises Refused if `source` doesn't exist, or has no Python code.
    """
    if source.startswith(PREFIX):
        return distribution_files(folder, source.removeprefix(PREFIX))
    root = folder / source
    root = root.parent.resolve() / root.name  # without "..", for messages; a link keeps its name
    prefix = f"src/{root.resolve().name}/" if (root / "__init__.py").is_file() else "src/"
    if root.is_file():
        found = {f"src/{root.name}": root}
    else:
        found = {f"{prefix}{path.relative_to(root).as_posix()}": path for path in files_below(root)}
    if not any(path.endswith(".py") for path in found):
        raise refusal_at(folder / "app.toml", ("source",), f"there is no Python code in {root}")
    return found

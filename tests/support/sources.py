"""The project's own files, as the tests of its conventions read them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("node_runtime", "hotdash")


@cache
def files(*patterns: str) -> tuple[str, ...]:
    """The paths of the files below the root that match a glob pattern, without files that git ignores."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern) if "__pycache__" not in path.parts}
    return tuple(sorted(str(path.relative_to(ROOT)) for path in found if path.is_file()))


def modules(package: str) -> tuple[str, ...]:
    """The paths of all modules of a package, relative to the root."""
    return files(f"{package}/**/*.py")


@cache
def text(path: str) -> str:
    """The contents of a file."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(text(path), path)


def module_name(path: str) -> str:
    """The dotted name of the module in that file."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

"""Parses the modules of two releases, and finds their references to each module that either release has."""

from __future__ import annotations

from node_runtime.releases.appups.sources.release_source import ReleaseSource

from .module_code import ModuleCode, parse_module
from .release_code import ReleaseCode


def read_code(older: ReleaseSource, newer: ReleaseSource) -> tuple[ReleaseCode, ReleaseCode]:
    """Return the code of both releases. A module that is the same in both is parsed once."""
    known = frozenset((*older.modules, *newer.modules))
    first = {name: parse_module(name, file.path, file.source, file.is_package) for name, file in older.modules.items()}
    second: dict[str, ModuleCode] = {}
    for name, file in newer.modules.items():
        same = older.modules.get(name)
        tree = first[name].tree if same is not None and same.source == file.source else None
        second[name] = (
            parse_module(name, file.path, file.source, file.is_package)
            if tree is None
            else ModuleCode(name, file.path, file.is_package, tree)
        )
    return ReleaseCode(older.vsn, first, known), ReleaseCode(newer.vsn, second, known)

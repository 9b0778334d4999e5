"""The difference between the modules of two nodes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from node_runtime.protocol import messages as m


class ModuleDifference(msgspec.Struct, frozen=True):
    """A module of which two nodes run different code; the version is empty on a node that lacks the module."""

    module: str
    first: str
    second: str


def module_differences(first: Iterable[m.ModuleInfo], second: Iterable[m.ModuleInfo]) -> list[ModuleDifference]:
    """Return the modules whose code differs, by name. The hash of the source decides, not the name of the version."""
    ones = {module.name: module for module in first}
    others = {module.name: module for module in second}
    return [
        ModuleDifference(name, _version(ones.get(name)), _version(others.get(name)))
        for name in sorted({*ones, *others})
        if _sha256(ones.get(name)) != _sha256(others.get(name))
    ]


def _sha256(module: m.ModuleInfo | None) -> str:
    return module.sha256 if module is not None else ""


def _version(module: m.ModuleInfo | None) -> str:
    return f"{module.app_vsn} {module.sha256[:7]}" if module is not None else ""

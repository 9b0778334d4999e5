"""The folders of data files below a package. Python imports them as namespace packages, which have no body."""

from __future__ import annotations

import sys
from collections.abc import Container
from importlib.machinery import NamespaceLoader


def folders_below(package: str, deleted: Container[str]) -> list[str]:
    """Return the names of the imported folders below a package that is deleted, such as `shop.pages`.

    `importlib.resources.files("shop.pages")` imports such a folder. If the folder has a module that is not deleted, the
    module still needs the folder, and the result doesn't include it.
    """
    names = [name for name in list(sys.modules) if name.startswith(f"{package}.")]
    folders = {name for name in names if _is_folder(name)}
    kept = [name for name in names if name not in folders and name not in deleted]
    return [folder for folder in sorted(folders) if not any(name.startswith(f"{folder}.") for name in kept)]


def _is_folder(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return isinstance(getattr(spec, "loader", None), NamespaceLoader)

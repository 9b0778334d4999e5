"""Imports the public names of a package only when one of them is first used. Some processes use none of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any


def names_at_first_use(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return functions `__getattr__` and `__dir__` for `package`: they import the names in `package.public_names`.

    Follows PEP 562. A name that `public_names.__all__` lacks raises AttributeError.
    """

    def getattr_(name: str) -> Any:
        public = importlib.import_module(".public_names", package)
        if name == "__all__":
            return public.__all__
        if name not in public.__all__:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return vars(sys.modules[package]).setdefault(name, getattr(public, name))

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *getattr_("__all__")})

    return getattr_, dir_

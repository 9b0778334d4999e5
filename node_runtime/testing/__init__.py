"""Tests of services: a runtime in the test's own process, real nodes, and states that go through upgrades.

pytest finds the fixtures `runtime`, `upgraded` and `node` by itself; see `plugin.py`. The exported names are imported
at the first use of one, because pytest imports the plugin wherever hotdash is installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public_names import *  # noqa: F403  # for type checkers, a star makes all of these public
else:

    def __getattr__(name: str) -> Any:
        public = importlib.import_module(".public_names", __name__)
        if name == "__all__":
            return public.__all__
        if name not in public.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(public, name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})

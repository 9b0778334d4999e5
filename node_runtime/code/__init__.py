"""The code layer: keeps at most two loaded versions of each module, the current and the old one.

A module has one module object, whose attributes are those of the current version.
"""

from .batch import Batch
from .classes.dependents import Dependent
from .drift import Drift
from .errors import CodeError, LoadFailed, OldVersionHeld
from .module import HotModule, module_view
from .server import CodeServer, current
from .version import ManagedModule, Source, Version

__all__ = [
    "Batch",
    "CodeError",
    "CodeServer",
    "Dependent",
    "Drift",
    "HotModule",
    "LoadFailed",
    "ManagedModule",
    "OldVersionHeld",
    "Source",
    "Version",
    "current",
    "module_view",
]  # fmt: skip

"""The code layer: keeps at most two loaded versions of each module, the current and the old one.

A module has one module object, whose attributes are those of the current version.
"""

from .batch import Batch
from .classes.dependents import Dependent
from .compiler import compile_apart
from .drift import Drift
from .errors import CodeError, LoadFailed, OldVersionHeld
from .loading.body_effects import BodyEffects
from .loading.staging import AroundBody, without_context
from .module import HotModule, module_view
from .server import CodeServer, current
from .version import CompilationUnit, ManagedModule, Source, SourceText, Version

__all__ = [
    "AroundBody",
    "Batch",
    "BodyEffects",
    "CodeError",
    "CodeServer",
    "CompilationUnit",
    "Dependent",
    "Drift",
    "HotModule",
    "LoadFailed",
    "ManagedModule",
    "OldVersionHeld",
    "Source",
    "SourceText",
    "Version",
    "compile_apart",
    "current",
    "module_view",
    "without_context",
]  # fmt: skip

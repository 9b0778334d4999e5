"""The names that `node_runtime.code` exports. It imports this file when one of the names is first used."""

from node_runtime.code.batch import Batch
from node_runtime.code.classes.dependents import Dependent
from node_runtime.code.compiler import compile_apart
from node_runtime.code.drift import Drift
from node_runtime.code.errors import CodeError, LoadFailed, OldVersionHeld
from node_runtime.code.loading.body_effects import BodyEffects
from node_runtime.code.loading.kept_code import KeptCode
from node_runtime.code.loading.module_data.module_state import CACHE_KIND, ModuleValue
from node_runtime.code.loading.module_data.thread_values import thread_values_read
from node_runtime.code.loading.module_entries import ModuleEntries
from node_runtime.code.loading.module_files import SourceChange
from node_runtime.code.loading.staging import AroundBody, without_context
from node_runtime.code.module import HotModule, module_view
from node_runtime.code.old.hidden_references import C_CODE, running_code
from node_runtime.code.old.thread_variables import ThreadVariables, thread_variables
from node_runtime.code.registrations import OsProcessSettings
from node_runtime.code.server import CodeServer, current
from node_runtime.code.version import CompilationUnit, ManagedModule, Source, SourceText, Version

__all__ = [
    "CACHE_KIND",
    "C_CODE",
    "AroundBody",
    "Batch",
    "BodyEffects",
    "CodeError",
    "CodeServer",
    "CompilationUnit",
    "Dependent",
    "Drift",
    "HotModule",
    "KeptCode",
    "LoadFailed",
    "ManagedModule",
    "ModuleEntries",
    "ModuleValue",
    "OldVersionHeld",
    "OsProcessSettings",
    "Source",
    "SourceChange",
    "SourceText",
    "ThreadVariables",
    "Version",
    "compile_apart",
    "current",
    "module_view",
    "running_code",
    "thread_values_read",
    "thread_variables",
    "without_context",
]  # fmt: skip

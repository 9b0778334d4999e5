"""Checks that each function of an `apply` exists at that step, in the loaded version of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module

from node_runtime.releases.appups.code.module_code import ModuleCode
from node_runtime.releases.appups.code.release_code import RUNTIME
from node_runtime.releases.files.relup_instructions import Apply

from .mistakes import Mistake
from .running_node import RunningNode
from .script_steps import CheckedStep


def missing_functions(node: RunningNode, step: CheckedStep, instruction: Apply) -> Iterator[Mistake]:
    """Yield a mistake for each function of an `apply` that does not exist, or that can't take the `args`."""
    for reference in dict.fromkeys(filter(None, (instruction.function, instruction.undo))):
        module, _, name = reference.partition(":")
        if module.partition(".")[0] == RUNTIME:
            sentence = None if _has_runtime_function(module, name) else f"{reference} does not exist; correct the name"
        else:
            sentence = _missing(node, module, name)
            if sentence is None and (code := node.module(module)) is not None:
                sentence = _wrong_arguments(code, name, len(instruction.args))
        if sentence is not None:
            yield Mistake(step.path, step.line, f"apply: {sentence}")


def _missing(node: RunningNode, module: str, name: str) -> str | None:
    code = node.module(module)
    known = module in node.left.code.known
    if code is None:
        if not known:
            root = module.partition(".")[0]
            is_own = any(other.partition(".")[0] == root for other in node.left.code.known)
            return f"neither release has the module {module}; correct the name" if is_own else None
        if module in node.left.code.modules:
            return f"{module} is removed before this step; move the apply before the removal"
        return f"{module} is not loaded before this step; move the apply after its add_module"
    if _defines(code, name):
        return None
    other = node.target.code.modules.get(module)
    vsn = node.facts(node.present[module]).code.vsn
    if node.present[module] == "left" and other is not None and _defines(other, name):
        return (
            f"{module}:{name} does not exist at this step, because {module} is still the version of {vsn}; "
            f"load {module} before this step"
        )
    return f"{module} of {vsn}, which is current at this step, has no function {name}; correct the name"


def _defines(code: ModuleCode, name: str) -> bool:
    first, _, rest = name.partition(".")
    statement = code.definitions.get(first)
    if statement is None:
        return code.defines_everything
    if not rest or not isinstance(statement, ast.ClassDef) or statement.bases:
        return True
    return any(getattr(part, "name", None) == rest.partition(".")[0] for part in statement.body)


def _has_runtime_function(module: str, name: str) -> bool:
    """Return whether the module `module` of node_runtime has the name `name`.

    Imports the module, which no release contains.
    """
    try:
        return hasattr(import_module(module), name)
    except ImportError:
        return False


def _wrong_arguments(code: ModuleCode, name: str, given: int) -> str | None:
    function = code.definitions.get(name)
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or function.decorator_list:
        return None
    parameters = [*function.args.posonlyargs, *function.args.args]
    needed = len(parameters) - len(function.args.defaults)
    required = [
        arg.arg for arg, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if not default
    ]
    if needed <= given and (given <= len(parameters) or function.args.vararg) and not required:
        return None
    return (
        f"{code.name}:{name} ({code.path}, line {function.lineno}) can't be called with {given} arguments; "
        "correct `args`"
    )

"""Warnings about updated modules without a callback class: the update of such a module calls no code_change."""

from __future__ import annotations

from node_runtime.behaviours.upgrade.live_processes import Behaviour
from node_runtime.code import CodeServer

from .transition import Transition


def warnings(transition: Transition, code: CodeServer) -> list[str]:
    """Return a sentence for each module that has a code_change instruction but defines no callback class."""
    return [
        f"{module} defines no callback class, so its update calls no code_change. If processes of another module keep "
        f"values of {module}, give that module an update and a code_change."
        for module in sorted(transition.migrated)
        if not _has_callback_class(module, code)
    ]


def _has_callback_class(module: str, code: CodeServer) -> bool:
    """Return whether the module defines a callback class. Also return True if the module isn't loaded."""
    current, _ = code.versions(module)
    return current is None or any(
        isinstance(value, type) and issubclass(value, Behaviour) and value.__module__ == module
        for value in list(current.namespace.values())
    )

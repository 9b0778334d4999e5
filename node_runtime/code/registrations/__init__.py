"""Registrations: entries that bodies of modules add to registries of the interpreter, libraries and other modules.

A registration belongs to the version whose body made it, and is in its registry only while that version is current.
"""

from .adapters import REGISTRIES, declared_registries, failures, find_registries
from .os_process_settings import OsProcessSettings
from .recorder import Recorder
from .registry import Registration, Registry, carry_registrations, registrations_hidden, switch_registrations
from .views import Hooks

__all__ = [
    "REGISTRIES",
    "Hooks",
    "OsProcessSettings",
    "Recorder",
    "Registration",
    "Registry",
    "carry_registrations",
    "declared_registries",
    "failures",
    "find_registries",
    "registrations_hidden",
    "switch_registrations",
]

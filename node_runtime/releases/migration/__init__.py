"""The default migration: makes the state of a target release from a value that holds instances of replaced classes.

A class or member is found by its name in the target, and fields are copied by name. The old value is never changed,
sharing and cycles are kept, and parts that need no change are shared with the new value. An example:

    from node_runtime.releases.migration import migration_obstacles

`migration_obstacles(value, namespaces)` reports what the migration would do to any value that a live process holds,
even if the script does not migrate the process. It makes the new value and drops it. This may call default factories
and pydantic's validators, so call the function only in the copy of the node.
"""

from .ahead import MadeAhead
from .conversion import Converter, migration_obstacles, shapes_for
from .default_code_change import DefaultMigration, NotMigratable, inherits_code_change, namespaces_of
from .findings import Conversion, LostField, MigratedClass, Obstacle
from .targets import TargetNamespaces

__all__ = [
    "Conversion",
    "Converter",
    "DefaultMigration",
    "LostField",
    "MadeAhead",
    "MigratedClass",
    "NotMigratable",
    "Obstacle",
    "TargetNamespaces",
    "inherits_code_change",
    "migration_obstacles",
    "namespaces_of",
    "shapes_for",
]

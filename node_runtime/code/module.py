"""The module object in `sys.modules`: it stays the same, and its `__dict__` is the current version's namespace.

The `__dict__` of a `types.ModuleType` can't be assigned, but the `__dict__` of a plain object can.
So the module object is a plain object. A switch to another version assigns that version's namespace
to `__dict__`; after this single assignment every `module.name` is looked up in that version.

Rejected: a `__getattr__` or `__getattribute__` in Python. It would make each `module.name` several
times as expensive.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

Namespace = dict[str, Any]

if TYPE_CHECKING:

    class _Plain(ModuleType):
        """A module, for the type checker only."""

        __dict__: Namespace
else:
    _Plain = object


class HotModule(_Plain):
    """A plain object that passes for a module: `inspect.ismodule` and `isinstance(m, types.ModuleType)` are true."""

    def __init__(self, name: str) -> None:
        self.__dict__ = {"__name__": name}

    @property  # type: ignore[misc]  # object.__class__ can be assigned, this property can't
    def __class__(self) -> type[ModuleType]:  # type: ignore[override]  # less than the real type, on purpose
        return ModuleType

    def __repr__(self) -> str:
        namespace = self.__dict__
        where = f" from {namespace['__file__']!r}" if "__file__" in namespace else ""
        return f"<module {namespace.get('__name__', '?')!r}{where}>"

    def __dir__(self) -> list[str]:
        listed = self.__dict__.get("__dir__")
        return sorted(listed() if listed is not None else self.__dict__)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"cannot pickle module {self.__dict__.get('__name__', '?')!r}")


class ModuleWithGetattr(HotModule):
    """A module object for versions that define `__getattr__` (PEP 562).

    Only modules of such versions have this class, so look-ups in other modules never call `__getattr__`.
    """

    def __getattr__(self, name: str) -> Any:
        hook = self.__dict__.get("__getattr__")
        if hook is None:
            raise AttributeError(f"module {self.__dict__.get('__name__')!r} has no attribute {name!r}")
        return hook(name)


_set_type = object.__dict__["__class__"].__set__


def set_module_type(module: HotModule, cls: type[HotModule]) -> None:
    """Make `cls` the real type of `module`; `module.__class__` remains `ModuleType`."""
    if type(module) is not cls:
        _set_type(module, cls)


def update_module_type(module: HotModule) -> None:
    """Make `ModuleWithGetattr` the type of `module` if its namespace has a `__getattr__`, else `HotModule`."""
    set_module_type(module, ModuleWithGetattr if "__getattr__" in module.__dict__ else HotModule)


def switch_namespace(module: HotModule, namespace: Namespace) -> None:
    """Replace the namespace of `module`: from now on `module.name` is looked up in `namespace`."""
    module.__dict__ = namespace
    update_module_type(module)


def module_view(namespace: Namespace) -> ModuleType:
    """Return a module object for a version's namespace, whether or not the version is current."""
    module = HotModule(namespace["__name__"])
    switch_namespace(module, namespace)
    return module

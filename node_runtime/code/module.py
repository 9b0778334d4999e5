"""The stable object that stands in `sys.modules` for a managed module, whatever version is current.

A plain object keeps its attributes in a dict that can be assigned, which a `types.ModuleType` can't. So the
namespace of a version is simply made the object's `__dict__`: one pointer, and every `module.name` means the
new version from then on. Attribute access stays the interpreter's own: no `__getattr__`, no
`__getattribute__`, which would make each qualified call several times as expensive.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

Namespace = dict[str, Any]

if TYPE_CHECKING:

    class _Plain(ModuleType):
        """To the type checker it is a module; that it isn't one is a matter of this file."""

        __dict__: Namespace
else:
    _Plain = object


class HotModule(_Plain):
    """Says that it is a module: `inspect.ismodule` and `isinstance(m, types.ModuleType)` are true."""

    def __init__(self, name: str) -> None:
        self.__dict__ = {"__name__": name}

    @property  # type: ignore[misc]  # object.__class__ can be assigned; what a module says of itself can't
    def __class__(self) -> type[ModuleType]:  # type: ignore[override]  # it says less than the truth, on purpose
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


class DynamicModule(HotModule):
    """A module whose current version defines a module-level `__getattr__` (PEP 562); only those pay for it."""

    def __getattr__(self, name: str) -> Any:
        hook = self.__dict__.get("__getattr__")
        if hook is None:
            raise AttributeError(f"module {self.__dict__.get('__name__')!r} has no attribute {name!r}")
        return hook(name)


_set_type = object.__dict__["__class__"].__set__


def retype(module: HotModule, cls: type[HotModule]) -> None:
    """Make `cls` the real type of `module`; its answer to `__class__` stays `ModuleType`."""
    if type(module) is not cls:
        _set_type(module, cls)


def conform(module: HotModule) -> None:
    """Give `module` the type that its namespace needs."""
    retype(module, DynamicModule if "__getattr__" in module.__dict__ else HotModule)


def switch(module: HotModule, namespace: Namespace) -> None:
    """Make `namespace` what `module.name` means from now on."""
    module.__dict__ = namespace
    conform(module)

"""What all processes of one version of a class have in common, so that none of them has to hold it."""

from __future__ import annotations

from sys import modules
from typing import Any, Final

from .behaviour import Behaviour
from .sys_debug import Debug

NO_REQUESTS: Final[dict[str, Any]] = {}


class CodeInUse:
    """A version of a callback class, and where it was found.

    `module` and `qualname` are the names by which the next version will be looked for. `home` is the object in
    `sys.modules`, which stays the same; its `__dict__` is the current namespace, and `namespace` what that was when the
    class was taken. `methods` are the requests that may be answered without anybody else being told. A process that is
    being recorded has one for itself, with `debug`.
    """

    __slots__ = ("debug", "home", "methods", "module", "namespace", "qualname")

    def __init__(self, module: str, qualname: str, methods: dict[str, Any], debug: Debug | None) -> None:
        self.module = module
        self.qualname = qualname
        self.home: Any = modules[module]
        self.namespace: dict[str, Any] = self.home.__dict__
        self.methods = methods
        self.debug = debug

    @classmethod
    def of(cls, version: type[Behaviour], module: str, qualname: str, debug: Debug | None, *, tells: bool) -> CodeInUse:
        """What processes of this version share. With `tells`, every request concerns more than its method."""
        if debug is not None:
            return cls(module, qualname, NO_REQUESTS, debug)
        known: CodeInUse | None = version.__dict__.get("_in_use")
        if (
            known is not None
            and known.module == module
            and known.qualname == qualname
            and known.namespace is modules[module].__dict__
        ):
            return known
        made = cls(module, qualname, NO_REQUESTS if tells else version.__public__, None)
        type.__setattr__(version, "_in_use", made)
        return made

"""A version of a callback class, represented by one object that all processes of the version share."""

from __future__ import annotations

from sys import modules
from typing import Any, Final

from .behaviour import Behaviour
from .sys_debug import DebugRecorder

_NO_METHODS: Final[dict[str, Any]] = {}


class CallbackVersion:
    """A version of a callback class, and the module that it was found in.

    `module` and `qualname` are the names by which the next version is looked up. `home` is the module object in
    `sys.modules`. All versions have the same `home`; its `__dict__` is the namespace of the current version.
    `namespace` is the namespace that was current when the class was looked up. `methods` are the public methods that a
    caller may run directly instead of sending a request. A process with a debug recorder has its own CallbackVersion,
    with the recorder as `debug`.
    """

    __slots__ = ("debug", "home", "methods", "module", "namespace", "qualname")

    def __init__(self, module: str, qualname: str, methods: dict[str, Any], debug: DebugRecorder | None) -> None:
        self.module = module
        self.qualname = qualname
        self.home: Any = modules[module]
        self.namespace: dict[str, Any] = self.home.__dict__
        self.methods = methods
        self.debug = debug

    @classmethod
    def of(
        cls, version: type[Behaviour], module: str, qualname: str, debug: DebugRecorder | None, *, needs_call_back: bool
    ) -> CallbackVersion:
        """Return the CallbackVersion that the processes of the class `version` share; with `debug`, return a new one.

        `needs_call_back` means that every request has to go through `call_back`; then `methods` is empty.
        """
        if debug is not None:
            return cls(module, qualname, _NO_METHODS, debug)
        known: CallbackVersion | None = version.__dict__.get("__callback_version__")
        if (
            known is not None
            and known.module == module
            and known.qualname == qualname
            and known.namespace is modules[module].__dict__
        ):
            return known
        made = cls(module, qualname, _NO_METHODS if needs_call_back else version.__public__, None)
        type.__setattr__(version, "__callback_version__", made)
        return made

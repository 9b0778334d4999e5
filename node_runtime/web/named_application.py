"""An ASGI application that is looked up by its name for each request and each websocket.

So after an upgrade, the module's new version answers from the next request on, even on a connection that stays open. A
running request finishes in the version in which it began.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from itertools import count
from sys import modules
from types import SimpleNamespace
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from node_runtime.behaviours.code_references import resolve_attribute
from node_runtime.processes import Pid
from node_runtime.protocol.exit_codes import Refused

from .lifespan.lifespan import Lifespan

_numbers: Final = count(1)


class NamedApplication:
    """The application that `"module:name"` names. The name may be dotted, as in `"shop.site:Site.app"`.

    Raises `ValueError` for a malformed name.
    """

    __slots__ = ("_attribute", "_lifespans", "_single", "lifespan", "module", "reference", "state")

    def __init__(self, reference: str) -> None:
        self.module, _, self._attribute = reference.partition(":")
        if not (self.module and self._attribute):
            raise ValueError(f"the application {reference!r} must be written as 'module:name'")
        self.reference = reference
        self.lifespan: Lifespan | None = None
        """The present lifespan, while the listener's process runs."""
        self.state: dict[str, Any] = {}
        """The state of which each request gets a copy as `scope["state"]`."""
        self._lifespans: dict[Pid, Lifespan] = {}
        """The present lifespan of each process of the listener. A killed process may still be ending when its successor
        runs.
        """
        self._single = self._attribute.isidentifier()

    def current(self) -> ASGIApp:
        """Return the application of the module's current version. Raises LookupError or ImportError."""
        module = modules.get(self.module)
        if module is None:
            module = importlib.import_module(self.module)
        application: ASGIApp
        if self._single:
            try:
                application = getattr(module, self._attribute)
            except AttributeError:
                raise LookupError(f"module {self.module} has no {self._attribute}") from None
        else:
            application = resolve_attribute(self.module, module, self._attribute)
        return application

    def in_version(self, namespace: Mapping[str, Any]) -> ASGIApp | None:
        """Return the application in `namespace`, the namespace of one version of the module; None if there is none."""
        try:
            application: ASGIApp = resolve_attribute(self.module, SimpleNamespace(**namespace), self._attribute)
        except LookupError:
            return None
        return application

    def adopt(self, lifespan: Lifespan) -> None:
        """Make `lifespan` the present lifespan: the next request gets the state of this lifespan."""
        self._lifespans[lifespan.process] = self.lifespan = lifespan
        self.state = lifespan.state

    def leave(self, process: Pid) -> Lifespan | None:
        """Return the lifespan that the listener's process `process` has to end; None if there is none.

        If this lifespan is still the present lifespan of the application, the application has none afterwards.
        """
        ending = self._lifespans.pop(process, None)
        if ending is self.lifespan:
            self.lifespan, self.state = None, {}
        return ending

    def check(self) -> None:
        """Raise `Refused` if there is no such application, or if it can't be called."""
        try:
            application: object = self.current()
        except (LookupError, ImportError) as error:
            why = str(error.args[0]) if error.args else type(error).__name__
        else:
            if callable(application):
                return
            why = f"it is a {type(application).__name__}, which can't be called"
        raise Refused(f"the application {self.reference!r} can't be used: {why}; correct its name")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Return the application's coroutine for a request. uvicorn logs an error if the result isn't None."""
        # The connection keeps its scope. A framework puts the application, its routes and functions into the scope that
        # it gets, and an idle connection must not keep these objects; neither must a connection that a timer refers to.
        scope = {**scope}
        scope["state"] = self.state.copy()
        if scope["type"] == "websocket" and (task := asyncio.current_task()) is not None:
            task.set_name(f"websocket-{next(_numbers)}:{scope['path']}")
        application: Any = self.current()
        if type(application) is type and not hasattr(application, "__await__"):
            return application(scope)(receive, send)  # an application of ASGI 2
        return application(scope, receive, send)

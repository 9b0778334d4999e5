"""The websockets of a listener: which class handles the connections to which path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.routing import compile_path

from node_runtime.behaviours.code_references import resolve_reference
from node_runtime.protocol.exit_codes import Refused

from .handler import WebSocketHandler


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """A path and the name of the class that handles its websockets.

    `path` is written as in Starlette: `"/rooms/{room}"` (the handler finds `request.path_params["room"]`). `handler` is
    `"module:Class"`, a subclass of WebSocketHandler, which is looked up for each new connection. Raises `ValueError`
    for a malformed path or name. Follows cowboy_router:dispatch_rules().
    """

    path: str
    handler: str

    def __post_init__(self) -> None:
        module, _, name = self.handler.partition(":")
        if not (module and name):
            raise ValueError(f"the handler {self.handler!r} of {self.path!r} must be written as 'module:Class'")
        if not self.path.startswith("/"):
            raise ValueError(f"the path {self.path!r} must begin with '/'")


class WebSocketRoutes:
    """The websocket routes of one listener. A connection uses the routes that are current when it arrives."""

    __slots__ = ("_patterns", "routes")

    def __init__(self, routes: Iterable[WebSocketRoute] = ()) -> None:
        self.replace(routes)

    def replace(self, routes: Iterable[WebSocketRoute]) -> None:
        """Replace all routes at once."""
        self.routes = tuple(routes)
        self._patterns: list[tuple[re.Pattern[str], dict[str, Any], str]] = []
        for route in self.routes:
            pattern, _, convertors = compile_path(route.path)
            self._patterns.append((pattern, convertors, route.handler))

    def find(self, path: str) -> tuple[str, dict[str, Any]] | None:
        """Return the name of the handler for a path, and the parameters in the path; None if no route matches."""
        for pattern, convertors, handler in self._patterns:
            if found := pattern.match(path):
                return handler, {key: convertors[key].convert(text) for key, text in found.groupdict().items()}
        return None


def handler_class(reference: str) -> type[WebSocketHandler[Any]]:
    """Return the current class "module:Class". Raises `Refused` if it isn't a subclass of WebSocketHandler."""
    try:
        found = resolve_reference(reference)
    except (LookupError, ImportError) as error:
        why = str(error.args[0]) if error.args else type(error).__name__
    else:
        if isinstance(found, type) and issubclass(found, WebSocketHandler):
            return found
        why = "it is not a subclass of WebSocketHandler"
    raise Refused(f"the handler {reference!r} of websockets can't be used: {why}; correct its name")

"""`ReleaseFacts`: what the code of one release says about its supervisors, servers, routes and applications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .behaviour_classes import CallbackCode, callback_classes
from .children import SupervisorCode, supervisors
from .effects import ListenerRoutes, RouteTable, listener_routes
from .release_code import ReleaseCode


@dataclass(frozen=True)
class ReleaseFacts:
    """The facts about one release, each read from its code when it is first needed."""

    code: ReleaseCode

    @cached_property
    def supervisors(self) -> Mapping[str, SupervisorCode]:
        """The supervisors by the absolute names of their classes."""
        return supervisors(self.code)

    @cached_property
    def classes(self) -> Mapping[str, CallbackCode]:
        """All callback classes by their absolute names."""
        return callback_classes(self.code)

    @cached_property
    def servers(self) -> Mapping[str, CallbackCode]:
        """The classes of servers and state machines."""
        return {name: cls for name, cls in self.classes.items() if cls.kind in ("gen_server", "gen_statem")}

    @cached_property
    def routes(self) -> Mapping[ListenerRoutes, RouteTable | None]:
        """The routes with which each listener is started; None for routes that can't be read."""
        return listener_routes(self.code)

    @cached_property
    def users(self) -> Mapping[str, frozenset[str]]:
        """For each module, the modules that refer to it."""
        found: dict[str, set[str]] = {}
        for user, references in self.code.references.items():
            for reference in references:
                found.setdefault(reference.module, set()).add(user)
        return {module: frozenset(users) for module, users in found.items()}

    def uses(self, user: str, module: str) -> bool:
        """Return whether a module of the release refers to another one."""
        return user in self.users.get(module, ())

    def reaches(self, start: str, end: str) -> bool:
        """Return whether a module refers to another one, directly or through others."""
        return end in self.reachable(frozenset((start,)), frozenset())

    def reachable(self, starts: frozenset[str], without: frozenset[str]) -> set[str]:
        """Return the modules to which `starts` refer, directly or through others that are not in `without`."""
        found: set[str] = set()
        waiting = [start for start in starts if start not in without]
        while waiting:
            for reference in self.code.references.get(waiting.pop(), ()):
                if reference.module not in found:
                    found.add(reference.module)
                    if reference.module not in without:
                        waiting.append(reference.module)
        return found

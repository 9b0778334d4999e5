"""Plugins of pluggy, which Datasette uses: a new version of a plugin's module is registered in place of the old one.

A plugin manager keeps the functions of a plugin, not the module. pluggy is not imported here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from node_runtime.code import HotModule


@dataclass(frozen=True, slots=True)
class Plugin:
    """A module of the release that is registered with a plugin manager."""

    manager: Any
    name: str
    module: Any

    def register_current_version(self) -> None:
        """Register the current version of the module instead of the registered version.

        If pluggy rejects the current version, raises pluggy's exception, and the plugin is not registered.
        """
        if not self.manager.is_registered(self.module):
            self.manager.register(self.module, self.name)
        elif self._is_outdated():
            before = {caller.name: caller.get_hookimpls() for caller in self.manager.get_hookcallers(self.module)}
            self.manager.unregister(self.module)
            self.manager.register(self.module, self.name)
            for caller in self.manager.get_hookcallers(self.module):
                self._keep_place(caller, before.get(caller.name, []))

    def _is_outdated(self) -> bool:
        """Return whether the registered functions are not those of the current version."""
        marker = f"{self.manager.project_name}_impl"
        current = {id(each) for each in list(vars(self.module).values()) if hasattr(each, marker)}
        callers = self.manager.get_hookcallers(self.module)
        registered = [one for caller in callers for one in caller.get_hookimpls() if one.plugin is self.module]
        return {id(one.function) for one in registered} != current

    def _keep_place(self, caller: Any, before: list[Any]) -> None:
        """Give a hook's new function the place that the old function has had among the functions of other plugins."""
        now = caller.get_hookimpls()
        new = next(one for one in now if one.plugin is self.module)
        old = next((one for one in before if one.plugin is self.module), None)
        if old is not None and old.opts == new.opts and len(before) == len(now):
            caller._hookimpls[:] = [new if one is old else one for one in before]


def find_plugins() -> list[Plugin]:
    """Return the release's modules that are registered with a plugin manager in a global variable of some module."""
    pluggy: Any = sys.modules.get("pluggy")
    if pluggy is None:
        return []
    managers = {
        id(value): value
        for module in list(sys.modules.values())
        for value in list(getattr(module, "__dict__", {}).values())
        if issubclass(type(value), pluggy.PluginManager)
    }
    return [
        Plugin(manager, name, plugin)
        for manager in managers.values()
        for name, plugin in manager.list_name_plugin()
        if issubclass(type(plugin), HotModule)
    ]

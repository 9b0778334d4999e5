"""Finds the modules of a Django project that an install can't load, and clears Django's caches of URLs.

Django reads the settings once, and registers the models once, in a registry that relations, managers and migrations
refer to. So a change of settings or models needs a restart of the node; a change of views or URLs doesn't. Django is
not imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from node_runtime.code import Batch, HotModule
from node_runtime.protocol.messages import Blocker
from node_runtime.releases.planning.transition import Transition, cold_remedy

_CACHED: Final = ("url_patterns", "urlconf_module")
"""The properties that a resolver of URLs computes once."""
_COLLECTED: Final = {"_reverse_dict": dict, "_namespace_dict": dict, "_app_dict": dict, "_callback_strs": set}
"""The attributes in which a resolver collects the names of its URLs."""


def blockers(transition: Transition, batch: Batch) -> Iterator[Blocker]:
    """Yield a blocker for each module of the batch that Django reads only once, and a blocker if URLs use replaced
    code.
    """
    if "django.urls" not in sys.modules:
        return
    remedy = cold_remedy(transition.configuration.node.name, transition.target.vsn)
    settings = _modules_of_settings(batch)
    for module in batch.modules:
        models = _models(module, batch.namespace(module))
        reason = f"{module} defines models ({', '.join(models)})" if models else ""
        if module in settings:
            reason = f"{module} is a module of the settings"
        if reason:
            yield Blocker(reason=f"{reason}, which Django reads once: this needs a restart of the node", remedy=remedy)
    clear_url_caches()
    kept = batch.kept_code()
    for module, patterns in _url_modules(batch):
        if names := kept.names_in(patterns):
            yield Blocker(
                reason=f"{module}.urlpatterns would still refer to replaced code: {names[0]}",
                remedy=f"let the appup load {module} too, after the other modules",
            )


def clear_url_caches() -> None:
    """Clear Django's caches of URLs, so that Django finds the URLs of the current versions of the modules."""
    urls: Any = sys.modules.get("django.urls")
    if urls is None:
        return
    for _, patterns in _url_modules():
        for resolver in _resolvers(patterns, urls.URLResolver):
            for name in _CACHED:
                vars(resolver).pop(name, None)
            for name, kind in _COLLECTED.items():
                setattr(resolver, name, kind())
            resolver._populated = False
    urls.clear_url_caches()


def _url_modules(batch: Batch | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the name and the `urlpatterns` of each module that has them.

    A module of `batch` has the new `urlpatterns`.
    """
    for name, module in list(sys.modules.items()):
        if issubclass(type(module), HotModule):
            is_new = batch is not None and name in batch.modules
            namespace = batch.namespace(name) if batch is not None and is_new else vars(module)
            if "urlpatterns" in namespace:
                yield name, namespace["urlpatterns"]


def _resolvers(patterns: Any, kind: type) -> Iterator[Any]:
    """Yield the resolvers in a list of patterns, innermost first. Omits nested lists that Django has not read yet."""
    for one in patterns if isinstance(patterns, (list, tuple)) else ():
        if isinstance(one, kind):
            yield from _resolvers(vars(one).get("url_patterns"), kind)
            yield one


def _modules_of_settings(batch: Batch) -> set[str]:
    """Return the module of the settings, and the modules from which it imports."""
    conf: Any = sys.modules.get("django.conf")
    found, waiting = set[str](), [str(vars(conf.settings._wrapped).get("SETTINGS_MODULE", ""))] if conf else []
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name not in found and issubclass(type(module), HotModule):
            found.add(name)
            waiting += batch.imports_of(name)
    return found


def _models(module: str, namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of the models that a module defines."""
    models: Any = sys.modules.get("django.db.models")
    return [
        name
        for name, value in list(namespace.items())
        if models is not None
        and isinstance(value, type)
        and issubclass(value, models.Model)
        and value.__module__ == module
    ]

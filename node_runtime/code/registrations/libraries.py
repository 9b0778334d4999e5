"""Registries of libraries. The functions read only libraries that the program has imported, and import none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, MutableSet
from typing import Any

from .forwarded_dict import ForwardedDict
from .registry import Registry


def prometheus(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield two registries for each CollectorRegistry: its collectors, and its names of metrics.

    The CollectorRegistries are the default one of prometheus_client and those in global variables.
    """
    for registry in {
        id(each): each for each in (module.REGISTRY, *_values(namespaces, module.CollectorRegistry))
    }.values():
        yield Registry(
            "the collectors of prometheus_client", registry._collector_to_names, id(registry._collector_to_names)
        )
        yield Registry(
            "the metrics of prometheus_client", registry._names_to_collectors, id(registry._names_to_collectors)
        )


def pydantic(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the names of validators. pydantic 1 refuses to define a validator twice."""
    yield Registry("the validators of pydantic", module._FUNCS, id(module._FUNCS))


def sqlalchemy_tables(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the tables of each MetaData, and the foreign keys that wait for the definition of their table."""
    found = {id(each): each for each in _values(namespaces, module.MetaData)}
    for registry in _mapper_registries():
        found[id(registry.metadata)] = registry.metadata
    for metadata in found.values():
        key = id(metadata)
        yield Registry("the tables of SQLAlchemy", ForwardedDict(metadata.tables), (key, "tables"))
        yield Registry("the sequences of SQLAlchemy", metadata._sequences, (key, "sequences"))
        yield Registry("the types of SQLAlchemy", metadata._objects, (key, "objects"))
        for column, foreign_keys in list(metadata._fk_memos.items()):
            yield Registry("the foreign keys of SQLAlchemy", foreign_keys, (key, column))


def sqlalchemy_classes(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the mapped classes of each declarative base."""
    for registry in _mapper_registries():
        yield Registry("the mapped classes of SQLAlchemy", MappedClasses(module, registry), (id(registry), "classes"))


def django_models(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    """Yield the models of each application of Django. A plan refuses to load them: see `web/django_project.py`."""
    for label, models in list(module.apps.all_models.items()):
        yield Registry(f"the models of Django's {label}", ForwardedDict(models, module.apps.clear_cache), id(models))


class MappedClasses(MutableSet[Any]):
    """The mapped classes of a declarative base. Relationships look classes up in this registry.

    A relationship is resolved when its mapper is first used. So the mappers are configured before a class is removed.
    """

    def __init__(self, clsregistry: Any, registry: Any) -> None:
        self._clsregistry = clsregistry
        self._registry = registry

    def _managers(self) -> dict[Any, Any]:
        return {manager.class_: manager for manager in list(self._registry._managers)}

    def __iter__(self) -> Iterator[Any]:
        return iter(self._managers())

    def __contains__(self, cls: object) -> bool:
        return cls in self._managers()

    def __len__(self) -> int:
        return len(self._registry._managers)

    def add(self, value: Any) -> None:
        _either(self._clsregistry, "_add_class", "add_class")(value.__name__, value, self._registry._class_registry)
        self._registry._managers[value.__mapper__.class_manager] = True
        if not value.__mapper__.configured:
            self._registry._flag_new_mapper(value.__mapper__)

    def discard(self, value: Any) -> None:
        with contextlib.suppress(Exception):  # a mapper that can't be configured fails when it is used
            self._registry.configure(cascade=True)
        _either(self._clsregistry, "_remove_class", "remove_class")(
            value.__name__, value, self._registry._class_registry
        )
        self._registry._managers.pop(value.__mapper__.class_manager, None)


def _mapper_registries() -> list[Any]:
    mapper = sys.modules.get("sqlalchemy.orm.mapper")
    return [] if mapper is None else list(mapper._mapper_registries)


def _either(module: Any, *names: str) -> Any:
    """Return the first attribute in `names` that `module` has. The name depends on the library's version."""
    return next(getattr(module, name) for name in names if hasattr(module, name))


def _values(namespaces: Iterable[dict[str, Any]], kind: type) -> list[Any]:
    return [value for namespace in namespaces for value in list(namespace.values()) if issubclass(type(value), kind)]

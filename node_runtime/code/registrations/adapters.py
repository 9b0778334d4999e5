"""The table of the known registries: a function for each library, which yields the registries of that library.

A library that is not loaded has no registries. If the internals of a library have changed, its function fails, and the
plan reports the failure. A module of a release adds its own registries by `__registries__`: see docs/module-data.md.
"""

from __future__ import annotations

import copyreg
import gc
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping, MutableSequence, MutableSet, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from . import libraries, library_signals
from .generic_functions import generic_functions
from .late_functions import codec_error_handlers, codec_searches, exit_functions
from .registry import Registry
from .views import FileTypes, Hooks, LoggerSettings, SignalHandlers, WarningFilters, loggers

if TYPE_CHECKING:
    from node_runtime.code.module_table import ModuleTable

REGISTRIES: Final = "__registries__"
Adapter = Callable[[Any, Iterable[dict[str, Any]]], Iterator[Registry]]
"""Yields the registries of a loaded library. The second argument is all namespaces of loaded managed modules."""


def _logging(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    for logger in (logging.root, *loggers()):
        yield Registry(f"the handlers of logger {logger.name!r}", logger.handlers, ("handlers", logger.name))
        yield Registry(f"the filters of logger {logger.name!r}", logger.filters, ("filters", logger.name))
    yield Registry("the settings of loggers", _LOGGER_SETTINGS, "logger settings")
    for title, names in ("names", logging._levelToName), ("numbers", logging._nameToLevel):
        yield Registry(f"the {title} of logging levels", names, ("levels", title), stays=True)


def _archive_formats(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    for title, formats in ("packing", module._ARCHIVE_FORMATS), ("unpacking", module._UNPACK_FORMATS):
        yield Registry(f"the formats of shutil for {title}", formats, ("shutil", title), stays=True)


def _xml_prefixes(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    yield Registry("the prefixes of xml.etree", module._namespace_map, "xml", stays=True)


_file_types: Final = cache(FileTypes)


def _mime_types(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    yield Registry("the types of mimetypes", _file_types(module), "mimetypes", stays=True)


def _import_system(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    for name in ("path", "meta_path", "path_hooks"):
        yield Registry(f"sys.{name}", getattr(sys, name), name)
    yield Registry("sys.modules", _MODULES, "modules", ignore=_is_imported)


def _process(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    yield Registry("the functions of atexit", exit_functions, "atexit")
    yield Registry("the codecs", codec_searches, "codecs")
    yield Registry("the error handlers of codecs", codec_error_handlers, "codec errors", stays=True)
    yield Registry("the signal handlers", _SIGNAL_HANDLERS, "signals", stays=True)
    yield Registry("the hooks of the interpreter", _HOOKS, "hooks", stays=True)
    yield Registry("gc.callbacks", gc.callbacks, "gc")
    yield Registry("the functions of copyreg", copyreg.dispatch_table, "copyreg")


def _warnings(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    yield Registry("the filters of warnings", _WARNING_FILTERS, "warnings")


def _sqlite3(module: Any, namespaces: Iterable[dict[str, Any]]) -> Iterator[Registry]:
    yield Registry("the adapters of sqlite3", module.adapters, "sqlite3 adapters")
    yield Registry("the converters of sqlite3", module.converters, "sqlite3 converters")


ADAPTERS: Final[tuple[tuple[str, Adapter], ...]] = (
    ("sys", _import_system),
    ("sys", _process),
    ("functools", generic_functions),
    ("logging", _logging),
    ("warnings", _warnings),
    ("shutil", _archive_formats),
    ("xml.etree.ElementTree", _xml_prefixes),
    ("mimetypes", _mime_types),
    ("sqlite3", _sqlite3),
    ("prometheus_client.registry", libraries.prometheus),
    ("sqlalchemy.sql.schema", libraries.sqlalchemy_tables),
    ("sqlalchemy.orm.clsregistry", libraries.sqlalchemy_classes),
    ("django.apps.registry", libraries.django_models),
    ("django.dispatch.dispatcher", library_signals.django_signals),
    ("blinker.base", library_signals.blinker_signals),
    ("pydantic.v1.class_validators", libraries.pydantic),
    ("pydantic.class_validators", libraries.pydantic),
)
"""A module of each library, and the adapter. The module is the argument of the adapter."""

_MODULES: Final = sys.modules
_LOGGER_SETTINGS: Final = LoggerSettings()
_SIGNAL_HANDLERS: Final = SignalHandlers()
_HOOKS: Final = Hooks()
_WARNING_FILTERS: Final = WarningFilters()

failures: Final[dict[str, str]] = {}
"""The libraries whose registries can't be read, each with the error."""


def find_registries(table: ModuleTable, preparing: Sequence[dict[str, Any]] = ()) -> list[Registry]:
    """Return all registries that exist now, also those of the namespaces `preparing`, whose bodies may still run."""
    namespaces = [managed.current.namespace for managed in list(table.modules.values()) if managed.current is not None]
    running = {id(namespace) for namespace in preparing}
    namespaces += preparing
    found: list[Registry] = []
    for library, adapter in ADAPTERS:
        module = _MODULES.get(library)
        if module is not None:
            try:
                found += adapter(module, namespaces)
            except Exception as error:
                failures[library] = f"{type(error).__name__}: {error}"
    for namespace in namespaces:
        if REGISTRIES in namespace:
            try:
                found += declared_registries(namespace)
            except Exception as error:
                if id(namespace) not in running:  # a running body may bind the containers later
                    failures[namespace["__name__"]] = f"{type(error).__name__}: {error}"
    return found


def declared_registries(namespace: dict[str, Any]) -> Iterator[Registry]:
    """Yield the registries that a module declares. Raises TypeError if a declaration is wrong."""
    declared, module = namespace[REGISTRIES], namespace.get("__name__")
    if callable(declared):
        named = declared()
    elif isinstance(declared, (list, tuple)) and all(isinstance(name, str) for name in declared):
        named = {name: _named(namespace, name) for name in declared}
    else:
        named = None
    if not isinstance(named, dict):
        raise TypeError(
            f"{REGISTRIES} of {module} is {declared!r}: it must be a list of names of containers, or a function that "
            "returns a dict of names and containers"
        )
    for name, container in named.items():
        if not isinstance(container, (MutableSequence, MutableSet, MutableMapping)):
            raise TypeError(f"{REGISTRIES} of {module} has {name!r}, which is not a list, a set or a dict")
        yield Registry(f"{module}.{name}", container, id(container))


def _named(namespace: dict[str, Any], name: str) -> Any:
    """Return the value of a global variable or, for a dotted name, of an attribute of a class."""
    owner, _, attribute = name.partition(".")
    value = namespace.get(owner)
    return getattr(value, attribute, None) if attribute else value


def _is_imported(name: Any, module: Any) -> bool:
    """Return whether an entry of `sys.modules` was made by an import, not by a body."""
    spec = getattr(module, "__spec__", None)
    return spec is not None and spec.name == name

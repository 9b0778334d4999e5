"""Entries of weak dictionaries that exist only as long as another object: they hold no version by themselves.

A `WeakValueDictionary` drops an entry, with its key, when the value dies; a `WeakKeyDictionary` drops an entry, with
its value, when the key dies. Libraries memoize with them: pydantic keeps `Page[Item]` in a weak dictionary whose keys
refer to `Item`. Such an entry counts as a reference from the object with which it ends. Entries of a dictionary in a
global variable of a managed module count as references from the dictionary, since the application may read them.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any
from weakref import KeyedRef, WeakKeyDictionary, WeakValueDictionary, ref

from node_runtime.code.module import HotModule


class WeakEntries:
    """The entries of weak dictionaries of libraries."""

    def __init__(self) -> None:
        self._managed: set[int] | None = None

    def kept_with(self, references: list[Any]) -> list[Any]:
        """Return what weak dictionaries keep as long as one object lives: each thing once for each reference to it.

        `references` are the weak references to the object.
        """
        found: list[Any] = []
        for reference in references:
            dictionary = _dictionary_of(reference)
            if dictionary is None or self._is_managed(dictionary):
                continue
            if type(reference) is KeyedRef:
                found += (reference.key, reference.key)  # the dictionary and the weak reference refer to the key
            elif (value := dictionary.data.get(reference, dictionary)) is not dictionary:
                found.append(value)
        return found

    def _is_managed(self, dictionary: object) -> bool:
        if self._managed is None:
            modules = [module for module in list(sys.modules.values()) if issubclass(type(module), HotModule)]
            values = (
                value for module in modules for value in list(object.__getattribute__(module, "__dict__").values())
            )
            self._managed = {id(value) for value in values if type(value) in (WeakKeyDictionary, WeakValueDictionary)}
        return id(dictionary) in self._managed


def _dictionary_of(reference: Any) -> Any:
    """Return the weak dictionary to which a weak reference belongs: the callback of the reference refers to it.

    Weak proxies belong to none, and their attributes are those of the object.
    """
    callback = reference.__callback__ if type(reference) in (ref, KeyedRef) else None
    defaults = callback.__defaults__ if type(callback) is FunctionType else None
    dictionary = defaults[0]() if defaults and type(defaults[0]) is ref else None
    wanted = WeakValueDictionary if type(reference) is KeyedRef else WeakKeyDictionary
    return dictionary if isinstance(dictionary, wanted) else None

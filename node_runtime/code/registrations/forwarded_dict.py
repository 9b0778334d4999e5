"""A changeable view of a library's dict, for a library that refuses changes or derives caches from the dict."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, MutableMapping
from typing import Any


class ForwardedDict(MutableMapping[Hashable, Any]):
    """The entries of a dict. A change calls the method of `dict` itself, not of a subclass, and then `changed`."""

    def __init__(self, entries: dict[Any, Any], changed: Callable[[], object] | None = None) -> None:
        self._entries = entries
        self._changed = changed

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._entries))

    def __getitem__(self, key: Hashable) -> Any:
        return self._entries[key]

    def __setitem__(self, key: Hashable, value: Any) -> None:
        dict.__setitem__(self._entries, key, value)
        self._tell()

    def __delitem__(self, key: Hashable) -> None:
        dict.__delitem__(self._entries, key)
        self._tell()

    def __len__(self) -> int:
        return len(self._entries)

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed()

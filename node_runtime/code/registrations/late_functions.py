"""Functions that bodies have registered with `atexit` and `codecs`. Neither module can list its functions.

While a body runs, `atexit.register`, `codecs.register` and `codecs.register_error` are replaced by functions that also
record the registrations.
"""

from __future__ import annotations

import atexit
import codecs
import weakref
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from contextlib import contextmanager
from typing import Any, Final

_register_exit: Final = atexit.register
_register_search: Final = codecs.register
_register_error: Final = codecs.register_error


class ExitFunction:
    """A call that is made when the interpreter ends, if it is still in `exit_functions` then."""

    def __init__(self, function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self._args = args
        self._kwargs = kwargs

    def __repr__(self) -> str:
        return f"{self.function.__module__}.{getattr(self.function, '__qualname__', self.function)}"

    def call(self) -> None:
        """Make the call if the version that has registered it is current."""
        if self in exit_functions:
            self.function(*self._args, **self._kwargs)


exit_functions: Final[list[ExitFunction]] = []
"""The registered exit functions of current versions. `atexit` itself has weak references to them."""


class _Entry:
    """The object that is registered with `atexit` in place of an exit function."""

    def __init__(self, function: ExitFunction) -> None:
        self._function = weakref.ref(function, lambda _: atexit.unregister(self))

    def __call__(self) -> None:
        function = self._function()
        if function is not None:
            function.call()

    def __eq__(self, other: object) -> bool:
        function = self._function()
        return other is self or (function is not None and function.function == other)

    def __hash__(self) -> int:
        return id(self)


class CodecSearches(MutableSequence[Any]):
    """The codec search functions that current versions have registered with `codecs`."""

    def __init__(self) -> None:
        self._functions: list[Any] = []

    def __getitem__(self, index: Any) -> Any:
        return self._functions[index]

    def __setitem__(self, index: Any, function: Any) -> None:
        del self[index]
        self.insert(index, function)

    def __delitem__(self, index: Any) -> None:
        codecs.unregister(self._functions.pop(index))

    def __len__(self) -> int:
        return len(self._functions)

    def insert(self, index: int, value: Any) -> None:
        _register_search(value)
        self._functions.insert(index, value)


codec_searches: Final = CodecSearches()


class CodecErrorHandlers(MutableMapping[str, Any]):
    """The error handlers that current versions have registered with `codecs`, by name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}
        self._former: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._handlers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    def __setitem__(self, name: str, handler: Any) -> None:
        if name not in self._former:
            self._former[name] = _found_error_handler(name)
        _register_error(name, handler)
        self._handlers[name] = handler

    def __delitem__(self, name: str) -> None:
        del self._handlers[name]
        _register_error(name, self._former.pop(name))


def _found_error_handler(name: str) -> Any:
    """Return the handler with this name; if there is none, a handler that says so, because names can't be removed."""

    def unknown(error: UnicodeError) -> Any:
        raise LookupError(f"unknown error handler name '{name}'")

    try:
        return codecs.lookup_error(name)
    except LookupError:
        return unknown


codec_error_handlers: Final = CodecErrorHandlers()


@contextmanager
def listing_registered_functions() -> Iterator[None]:
    """List the functions that the body of `with` registers with `atexit` and `codecs`."""
    vars(atexit)["register"], codecs.register = _list_exit_function, codec_searches.append
    codecs.register_error = codec_error_handlers.__setitem__
    try:
        yield
    finally:
        vars(atexit)["register"], codecs.register = _register_exit, _register_search
        codecs.register_error = _register_error


def _list_exit_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    listed = ExitFunction(function, args, kwargs)
    exit_functions.append(listed)
    _register_exit(_Entry(listed))
    return function

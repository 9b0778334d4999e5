"""Patterns for versions, names, modules, callbacks, nodes and addresses, each with a description for error messages."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, TypeAlias, get_args

from msgspec import Meta

_VSN = r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}\Z"
_NAME = r"^[a-z][a-z0-9_]{0,63}\Z"
_MODULE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z"
_CALLBACK = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z"
_NODE = r"^[A-Za-z0-9_.-]{1,64}@[A-Za-z0-9_.-]{1,128}\Z"
_ANY_NAME = r"^[A-Za-z0-9_.@-]{1,128}\Z"
_ADDRESS = r"^[^:\s]+:([0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])\Z"

MAX_NAME_CHARACTERS: Final = 512
"""The greatest length of a name of any kind. It is checked before the pattern, so that a match takes a bounded time."""

VsnString: TypeAlias = Annotated[str, Meta(pattern=_VSN, max_length=MAX_NAME_CHARACTERS)]
Name: TypeAlias = Annotated[str, Meta(pattern=_NAME, max_length=MAX_NAME_CHARACTERS)]
Module: TypeAlias = Annotated[str, Meta(pattern=_MODULE, max_length=MAX_NAME_CHARACTERS)]
Callback: TypeAlias = Annotated[str, Meta(pattern=_CALLBACK, max_length=MAX_NAME_CHARACTERS)]
AnyName: TypeAlias = Annotated[str, Meta(pattern=_ANY_NAME, max_length=MAX_NAME_CHARACTERS)]
NodeName: TypeAlias = Annotated[str, Meta(pattern=_NODE, max_length=MAX_NAME_CHARACTERS)]
ListenAddress: TypeAlias = Annotated[str, Meta(pattern=_ADDRESS, max_length=MAX_NAME_CHARACTERS)]

PATTERN_DESCRIPTIONS = {
    _VSN: "a version: a letter or digit, then letters, digits, '.', '+' or '-', at most 64 characters",
    _NAME: "a name: a lowercase letter, then lowercase letters, digits or '_', at most 64 characters",
    _MODULE: "a module, written package.module",
    _CALLBACK: "a class or function, written module:name",
    _NODE: "a node's name, written name@host",
    _ANY_NAME: "a name: letters, digits, '_', '.', '@' or '-', at most 128 characters",
    _ADDRESS: "an address, written host:port, with a port up to 65535",
}
"""The description of each pattern, for error messages."""


def describe(kind: Any) -> str:
    """Return the description of `kind`, which is a type in this file, for an error message."""
    pattern = next(meta.pattern for meta in get_args(kind)[1:] if isinstance(meta, Meta))
    return PATTERN_DESCRIPTIONS[str(pattern)]


_IMPORTED_AT_START: Final = ("__main__", "sitecustomize", "usercustomize")
"""Modules that Python runs or imports by itself when it starts, if they exist."""
RESERVED_PACKAGES: Final = frozenset(
    {"node_runtime", "hotdash", "_launcher", *_IMPORTED_AT_START, *sys.stdlib_module_names}
)
"""Top-level modules that no application and no library may have: those of the node itself, and of Python."""

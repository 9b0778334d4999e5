"""The keys that a dict needs in order to fit a `TypedDict`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, ForwardRef, NotRequired, Required, get_args, get_origin

_QUALIFIER: Final = re.compile(r"\s*(?:(?:\w+\.)*(?:Annotated|ReadOnly)\[\s*)*(?:\w+\.)*(Required|NotRequired)\[")


def required_keys(typed_dict: Any) -> frozenset[str]:
    """Return the keys that a `TypedDict` requires.

    `__required_keys__` ignores `Required` and `NotRequired` in annotations that are text; after `from __future__ import
    annotations`, all annotations are. So this function reads the text. It doesn't evaluate the text, because some names
    may exist only for type checkers, and because the new code of a plan is not yet in `sys.modules`.
    """
    required = set(typed_dict.__required_keys__)
    try:
        annotations = dict(typed_dict.__annotations__)
    except Exception:
        return frozenset(required)  # evaluated late, so they are not text
    for key, annotation in annotations.items():
        is_required = _is_required(annotation)
        if is_required is not None:
            (required.add if is_required else required.discard)(key)
    return frozenset(required)


def _is_required(annotation: Any) -> bool | None:
    """Return whether an annotation is qualified as Required or as NotRequired; None if it is neither."""
    if isinstance(annotation, ForwardRef):
        found = _QUALIFIER.match(annotation.__forward_arg__)
        return None if found is None else found[1] == "Required"
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_required(get_args(annotation)[0])
    return True if origin is Required else False if origin is NotRequired else None

"""Checks the targets of requests. An absolute target must name the host that the Host header names."""

from __future__ import annotations

import re
from typing import Final

_ABSOLUTE: Final = re.compile(rb"https?://([^/?#@\\]++)((?:/[^#?]*+)?)((?:\?[^#]*+)?)", re.IGNORECASE)


def is_origin_form(target: bytes) -> bool:
    """Return whether a target is a path, as in almost every request."""
    return target.startswith(b"/") and b"#" not in target


def origin_form(method: bytes, target: bytes, hosts: list[bytes]) -> bytes:
    """Return the path and the query of a target; `hosts` are the values of the request's Host headers.

    A front server may choose the host from an absolute target, while an application reads the Host header. Raises
    ValueError if these two hosts differ, or if the target is invalid. A tunnel's target is returned as it is.
    """
    if method == b"CONNECT" or (method == b"OPTIONS" and target == b"*") or is_origin_form(target):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or len(hosts) != 1 or absolute[1].lower() != hosts[0].strip().lower():
        raise ValueError("the target of the request is not valid")
    return (absolute[2] or b"/") + absolute[3]

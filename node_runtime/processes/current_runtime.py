"""The running runtime, in a module attribute, so that `call` and `send` need no function to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import Runtime

node: Runtime | None = None

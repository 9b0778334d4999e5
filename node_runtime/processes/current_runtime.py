"""The running runtime, in a module attribute: `call` and `send` read it without a function call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import Runtime

node: Runtime | None = None

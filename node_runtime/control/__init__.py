"""The node's control plane: authenticated requests and events over ZeroMQ, served by a thread of its own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .control import Control
    from .handlers.node_identity import NodeIdentity
    from .method_handlers import ReleaseOperations

__all__ = ["Control", "NodeIdentity", "ReleaseOperations"]


def __getattr__(name: str) -> Any:
    """Import a name of the package at its first use: the gateway's OS process imports the package, but uses no name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import control, method_handlers

    return control.Control if name == "Control" else getattr(method_handlers, name)

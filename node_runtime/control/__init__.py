"""The node's control plane: authenticated requests and events over ZeroMQ, served by a thread of its own."""

from .control import Control
from .method_handlers import NodeIdentity, ReleaseOperations

__all__ = ["Control", "NodeIdentity", "ReleaseOperations"]

"""The node's control endpoint: who may ask what, answered in a thread of its own."""

from .control import Control
from .method_handlers import ReleaseHandler

__all__ = ["Control", "ReleaseHandler"]

"""The search for values that live processes hold and that a transition would leave in a replaced or deleted version.

The search runs in the copy of the node, after the new code was executed there and before that code becomes current.
"""

from .remedies import pending_remedy
from .report import LiveValuesFound
from .tracker import LiveValues

__all__ = ["LiveValues", "LiveValuesFound", "pending_remedy"]

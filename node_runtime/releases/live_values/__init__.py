"""The search for values in live processes that would still use a replaced or deleted version after a transition.

The search runs in the copy of the node, after the new code was executed there and before that code becomes current.
"""

from .remedies import pending_remedy
from .report import LiveValuesFound
from .tracker import LiveValues

__all__ = ["LiveValues", "LiveValuesFound", "pending_remedy"]

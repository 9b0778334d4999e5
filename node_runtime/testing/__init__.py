"""Tests of services: a runtime in the test's own process, real nodes, and states that go through upgrades.

pytest finds the fixtures `runtime`, `upgraded` and `node` by itself; see `plugin.py`.
"""

from .private_node import PrivateNode
from .released import last_release
from .state_strategies import states
from .upgrades import StateJourney, UpgradeFailed, take_through

__all__ = ["PrivateNode", "StateJourney", "UpgradeFailed", "last_release", "states", "take_through"]

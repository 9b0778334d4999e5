"""The names that `node_runtime.testing` exports. The package imports this file when one of them is first used."""

from .private_node import PrivateNode
from .released import last_release
from .state_strategies import states
from .upgrades import StateJourney, UpgradeFailed, take_through

__all__ = ["PrivateNode", "StateJourney", "UpgradeFailed", "last_release", "states", "take_through"]

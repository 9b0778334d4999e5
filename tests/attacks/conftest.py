"""The node that all attacks share."""

from __future__ import annotations

from tests.support.attacks.attacked_node import attacked, node_under_attack, stopped

__all__ = ["attacked", "node_under_attack", "stopped"]

"""The fixture of the tests of `node-runtime dev`."""

from __future__ import annotations

from tests.support.nodes.developed_node import developer

__all__ = ["developer"]

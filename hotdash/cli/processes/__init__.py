"""The verbs about processes: they list, inspect, record, suspend, restart and kill them."""

from __future__ import annotations

from . import ending, inspection, listing, recording, tree

VERBS = (*listing.VERBS, *tree.VERBS, *inspection.VERBS, *recording.VERBS, *ending.VERBS)

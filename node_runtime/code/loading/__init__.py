"""Executes new versions of modules invisibly, and finds effects of a load that a revert can't undo."""

"""Executes new versions of modules before they are visible, and finds effects of a load that a revert can't undo."""

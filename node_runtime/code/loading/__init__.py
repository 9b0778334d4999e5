"""Executing new versions of modules without making them visible, and finding what that can't undo."""

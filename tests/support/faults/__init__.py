"""Ends a process, or lets the disk fail, at each step that changes the disk."""

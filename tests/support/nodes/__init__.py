"""Nodes for tests: real ones in their own folders, and small ones in the test's process."""

"""Recordings: files with the messages that a dashboard got from a node, which can be shown again later."""

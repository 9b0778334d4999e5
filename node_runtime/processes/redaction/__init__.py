"""Secrets in names and texts: where they are, and texts without them. Every text that leaves a node goes through here.

Nothing here knows values: `node_runtime/behaviours/show/` redacts those, with the same words and patterns.
"""

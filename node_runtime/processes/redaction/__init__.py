"""Finds secrets in texts by names and forms, and redacts them. Every text that leaves a node passes through here.

This package handles only texts: `node_runtime/behaviours/show/` redacts values, with the same words and patterns.
"""

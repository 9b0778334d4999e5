"""Finds secrets in texts, by the name before a secret or by the secret's own form, and redacts them.

Every text that leaves a node passes through here. This package handles only texts: `node_runtime/behaviours/show/`
redacts values, with the same words and patterns.
"""

"""Redacts secrets in texts. A secret is found by the name before it, or by its own form.

Every text that leaves a node passes through here. This package handles only texts. `node_runtime/behaviours/show/`
redacts values, with the same words and patterns.
"""

"""Benchmarks of node_runtime and its peers.

`make bench` runs them; docs/performance.md has the figures.
"""

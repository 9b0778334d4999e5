"""Benchmarks of node_runtime and its peers: `make bench`. docs/performance.md has the figures."""

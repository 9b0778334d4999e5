"""Benchmarks of hotdash's runtime beside its peers: `make bench`. docs/performance.md has the figures."""

"""What hotdash's runtime costs, measured beside its peers: `make bench`. The figures stand in docs/performance.md."""

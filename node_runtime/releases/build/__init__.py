"""Building a release: from a project directory to a deterministic tarball."""

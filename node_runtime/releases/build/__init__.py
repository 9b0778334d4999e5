"""Builds a release: turns a project directory into a deterministic tarball."""

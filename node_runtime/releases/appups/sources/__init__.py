"""Reads the sources of releases, each a project, a tarball or a git revision. No code is executed."""

"""Reads two releases, each a project, a tarball or a git revision, as sources that are not executed."""

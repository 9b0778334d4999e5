"""Releases: builds a project into a tarball, unpacks and verifies it on a node, plans its install and installs it."""

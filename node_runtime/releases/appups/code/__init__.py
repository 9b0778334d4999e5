"""Reads the source of a release without executing it: imports, children, routes, state classes."""

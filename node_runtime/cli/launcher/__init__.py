"""The launcher of a node directory: its command line, and the node's parent process.

A build copies this package to bin/_launcher, and `script` to bin/<name>. The package uses the standard library only, so
that it works even if a release is damaged.
"""

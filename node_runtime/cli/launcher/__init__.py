"""The node in a directory: its command line, and its parent while it runs.

A build copies this package to bin/_launcher beside bin/<name>, which is `script`. It needs nothing but the standard
library, so that it works when the node doesn't.
"""

"""The gateway: an OS process that owns a node's ZeroMQ socket, so that no client can end or fill the node itself.

The node starts it, talks to it over the seam (`seam.py`), survives its end, and starts it again. Nothing of the node's
state is in the gateway: only keys, limits and subscriptions.
"""

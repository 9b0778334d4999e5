"""The gateway: an OS process that owns a node's ZeroMQ socket, so that no client can crash the node or fill its memory.

The node starts the gateway, exchanges messages with it over the seam (`seam.py`), and starts it again if it ends. The
gateway has keys, limits and subscriptions, but none of the node's state.
"""

"""One connection of a client to a node: its ZeroMQ socket, and its errors."""

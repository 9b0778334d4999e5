"""The rotation of the keys of a node and of its clients."""

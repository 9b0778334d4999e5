"""There is no page of the node in this case."""

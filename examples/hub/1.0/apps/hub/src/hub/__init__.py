"""A hub: rooms in which people talk over websockets."""

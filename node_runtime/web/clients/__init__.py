"""Limits for clients: of connections, sizes and times. Also rules for requests, paced reading, and a log."""

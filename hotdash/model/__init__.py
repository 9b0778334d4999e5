"""The dashboard's knowledge as immutable values, without screens and sockets."""

"""The model of the dashboard: immutable values about the node, without screens and sockets."""

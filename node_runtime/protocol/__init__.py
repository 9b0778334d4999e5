"""The protocol that a node and its operators share: messages, methods, node addresses, keys and the client."""

"""What a node and its operators share: the words on the wire, where a node is found, its keys, and the client."""

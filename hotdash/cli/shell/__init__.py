"""Shell completion: the script that a shell reads, and the values that a node has for an argument."""

"""One process in depth: what it is related to, what it waits for, and its recorded messages."""

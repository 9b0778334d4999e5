"""Several nodes: those that can be opened, and a row about each."""

"""The treatment of a listener's clients: limits, rules for requests, paced reading, and a log."""

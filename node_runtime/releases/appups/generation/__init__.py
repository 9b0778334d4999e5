"""Generates the appups between two releases. A question to the author replaces what the code doesn't show."""

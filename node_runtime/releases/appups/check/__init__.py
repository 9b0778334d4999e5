"""Finds mistakes in the appups between two releases, each with its file and line and a remedy."""

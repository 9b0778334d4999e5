"""Writes the appups between two releases: what a machine can know, and a question for the rest."""

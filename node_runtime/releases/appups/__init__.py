"""Checks appups against the code of two releases, and generates them. No code of a release is executed."""

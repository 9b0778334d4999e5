"""Generates the appups between two releases. An appup asks its author for whatever the code doesn't show."""

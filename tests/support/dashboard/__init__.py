"""A scripted node and its data, and the dashboard as a person uses it."""

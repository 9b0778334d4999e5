"""What the dashboard knows, as immutable values: no screen and no socket in here."""

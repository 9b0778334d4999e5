"""The user's settings, which only the user writes, and what the dashboard remembers by itself."""

"""Data that a load would lose: finds it, and says what happens to it."""

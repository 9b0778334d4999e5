"""Changing the code of live processes: holding them, deferring exits, and re-reading supervisors."""

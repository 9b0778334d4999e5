"""Supervisors: child specifications, restart strategies, restarts, shutdown and reports."""

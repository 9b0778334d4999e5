"""The numbered views of the dashboard: one file per view, with its columns."""
